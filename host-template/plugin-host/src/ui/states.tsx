/** The states every page has: loading, failed, empty, and the one with something to show. */

import { Alert, Button, Group, Paper, Skeleton, Stack, Text, ThemeIcon, VisuallyHidden } from "@mantine/core";
import CircleAlert from "lucide-react/icons/circle-alert";
import Inbox from "lucide-react/icons/inbox";
import Lock from "lucide-react/icons/lock";
import RotateCw from "lucide-react/icons/rotate-cw";
import type { ReactNode } from "react";
import type { ApiError } from "../api.ts";
import type { Resource } from "../use-resource.ts";
import { sentence, Ticked } from "./prose.tsx";

interface ErrorProps {
  readonly title: string;
  readonly detail: string;
  readonly onRetry?: () => void;
  /** What to call the button; "Try again" unless told. */
  readonly retryLabel?: string;
}

/** Something could not be shown: what, why, and a way to try again. */
export function ErrorState({ title, detail, onRetry, retryLabel = "Try again" }: ErrorProps): ReactNode {
  return (
    <Paper withBorder p="xl" role="alert">
      <Stack align="center" gap="sm" py="lg" ta="center">
        <ThemeIcon variant="light" color="red" size={44} radius="xl">
          <CircleAlert size={22} aria-hidden="true" />
        </ThemeIcon>
        <Text fw={600}>{title}</Text>
        <Text c="dimmed" size="sm" maw={460} style={{ textWrap: "balance" }}>
          <Ticked text={detail} />
        </Text>
        {onRetry !== undefined && (
          <Button variant="default" leftSection={<RotateCw size={15} aria-hidden="true" />} onClick={onRetry}>
            {retryLabel}
          </Button>
        )}
      </Stack>
    </Paper>
  );
}

interface EmptyProps {
  readonly title: string;
  readonly hint?: ReactNode;
  readonly action?: ReactNode;
  readonly icon?: ReactNode;
}

/** There is nothing to show yet, and what to do about it. */
export function EmptyState({ title, hint, action, icon }: EmptyProps): ReactNode {
  return (
    <Paper withBorder p="xl">
      <Stack align="center" gap="sm" py="lg" ta="center">
        <ThemeIcon variant="light" color="gray" size={44} radius="xl">
          {icon ?? <Inbox size={22} aria-hidden="true" />}
        </ThemeIcon>
        <Text fw={600}>{title}</Text>
        {hint !== undefined && (
          <Text c="dimmed" size="sm" maw={460} style={{ textWrap: "balance" }}>
            {hint}
          </Text>
        )}
        {action}
      </Stack>
    </Paper>
  );
}

/** The outline of a list on its way. */
export function ListSkeleton({ rows = 5, height = 52 }: { readonly rows?: number; readonly height?: number }): ReactNode {
  return (
    <Stack gap="sm" aria-busy="true">
      <VisuallyHidden role="status">Loading</VisuallyHidden>
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: one outline is like the other
        <Skeleton key={row} height={height} />
      ))}
    </Stack>
  );
}

interface ResourceViewProps<T> {
  readonly resource: Resource<T>;
  /** What could not be loaded, for the heading of the error: "the records". */
  readonly what: string;
  readonly skeleton?: ReactNode;
  readonly children: (data: T) => ReactNode;
}

/** Draws a resource in whatever state it is; after a failed reload the last good data stays below the error. */
export function ResourceView<T>({ resource, what, skeleton, children }: ResourceViewProps<T>): ReactNode {
  const { data, error, reload } = resource;
  if (data === undefined) {
    return error === undefined ? (skeleton ?? <ListSkeleton />) : <NotLoaded what={what} error={error} onRetry={reload} />;
  }
  return (
    <>
      {error !== undefined && (
        <Alert color="red" variant="light" icon={<CircleAlert size={18} aria-hidden="true" />}>
          <Group justify="space-between" gap="xs">
            <Text size="sm">
              Could not refresh {what}: <Ticked text={error.message} />
            </Text>
            <Button size="compact-sm" variant="default" onClick={reload}>
              Try again
            </Button>
          </Group>
        </Alert>
      )}
      {children(data)}
    </>
  );
}

interface NotLoadedProps {
  readonly what: string;
  readonly error: ApiError;
  readonly onRetry: () => void;
}

/** Not being allowed to see something is no failure, and is not drawn as one. */
function NotLoaded({ what, error, onRetry }: NotLoadedProps): ReactNode {
  if (error.status === 403) {
    return (
      <EmptyState
        icon={<Lock size={22} aria-hidden="true" />}
        title={`You may not see ${what}`}
        hint={<Ticked text={sentence(error.message)} />}
        action={
          <Button variant="default" leftSection={<RotateCw size={15} aria-hidden="true" />} onClick={onRetry}>
            Try again
          </Button>
        }
      />
    );
  }
  return <ErrorState title={`Could not load ${what}`} detail={`${error.title}. ${sentence(error.message)}`} onRetry={onRetry} />;
}
