/** The dialog that starts a build with options: a selection, variables, a full refresh, seeds first, another target. */

import { Modal, Text } from "@mantine/core";
import { ApiError, apiPost } from "@platform/plugin-host";
import { Form, type FormField } from "@platform/plugin-host/ui";
import type { ReactNode } from "react";
import { optionsOf, type Run, type Workspace } from "../../flow.ts";

const FIELDS: readonly FormField[] = [
  {
    name: "select",
    label: "Select",
    placeholder: "stg_orders+ tag:daily",
    description: "Builds only these. Empty: all.",
    autoComplete: "off",
  },
  { name: "exclude", label: "Exclude", placeholder: "tag:slow", autoComplete: "off" },
  {
    name: "vars",
    label: "Variables",
    kind: "textarea",
    placeholder: '{"day": "2026-01-31"}',
    description: "As JSON.",
    autoComplete: "off",
  },
  { name: "target", label: "Target", description: "Of the workspace's profile. Empty: the profile's own.", autoComplete: "off" },
  {
    name: "flags",
    label: "How",
    kind: "checks",
    options: [
      { value: "full_refresh", label: "Full refresh: rebuild incremental models from scratch" },
      { value: "seed_first", label: "Load all seeds first" },
    ],
  },
];

interface Props {
  readonly workspace: Workspace;
  readonly opened: boolean;
  readonly onClose: () => void;
  readonly onStarted: (run: Run) => void;
}

/** The form; what the platform does not take is told at its field. */
export function BuildOptionsDialog({ workspace, opened, onClose, onStarted }: Props): ReactNode {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={<strong>Build {workspace.slug} with options</strong>}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Form
        fields={FIELDS}
        submitLabel="Build"
        onCancel={onClose}
        onSubmit={async (values) => {
          const options = optionsOf(values);
          if (typeof options === "string") {
            throw new ApiError(422, { title: "Validation failed", errors: [{ field: "vars", message: options }] });
          }
          onStarted(await apiPost<Run>(`/api/dbt/workspaces/${encodeURIComponent(workspace.slug)}/build`, options));
        }}
      >
        <Text size="sm" c="dimmed">
          These options are stored with the run.
        </Text>
      </Form>
    </Modal>
  );
}
