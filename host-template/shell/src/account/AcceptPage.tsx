/** The page that an invitation's link opens: whose it is, and the two ways to take it up. */

import { Alert, Button, Paper, SegmentedControl, Stack, Text, Title } from "@mantine/core";
import { type ApiError, apiPost, asApiError, platformUrl } from "@platform/plugin-host";
import { ErrorState, Form, type FormField, formatDate, sentence, useDocumentTitle } from "@platform/plugin-host/ui";
import CircleAlert from "lucide-react/icons/circle-alert";
import { type ReactNode, useEffect, useState } from "react";
import { useNavigate } from "react-router";
import { Mark } from "../layout/Mark.tsx";
import { SchemeMenu } from "../layout/SchemeMenu.tsx";
import type { SessionSource } from "../session-source.ts";
import styles from "./sign-in.module.css";

/** What `POST /api/invitations/look` answers. */
interface Offer {
  readonly email: string;
  readonly name: string;
  readonly org: string;
  readonly role: "admin" | "member";
  readonly invited_by: string;
  readonly expires_at: string;
}

type State =
  | { readonly kind: "loading" }
  | { readonly kind: "failed"; readonly error: ApiError }
  | { readonly kind: "offered"; readonly offer: Offer };

/** The name that the served page carries. */
const platformName = document.title;

/** The token stands behind the `#`: browsers send that part to nobody. */
const tokenOf = (hash: string): string => hash.replace(/^#/, "");

interface Props {
  readonly source: SessionSource;
}

/** Reads what the link offers, and lets its owner accept. */
export function AcceptPage({ source }: Props): ReactNode {
  useDocumentTitle("Invitation");
  const [token] = useState(() => tokenOf(window.location.hash));
  const [state, setState] = useState<State>({ kind: "loading" });
  const [tries, setTries] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies(tries): another try is another call
  useEffect(() => {
    let wanted = true;
    setState({ kind: "loading" });
    apiPost<Offer>("/api/invitations/look", { token }).then(
      (offer) => wanted && setState({ kind: "offered", offer }),
      (caught: unknown) => wanted && setState({ kind: "failed", error: asApiError(caught) }),
    );
    return () => {
      wanted = false;
    };
  }, [token, tries]);

  return (
    <div className={styles.ground}>
      <header className={styles.corner}>
        <SchemeMenu />
      </header>
      <main className={styles.main}>
        <div className={styles.brand}>
          <Mark />
          <span>{platformName}</span>
        </div>
        <Paper withBorder className={styles.card}>
          {state.kind === "offered" && <Accept token={token} offer={state.offer} source={source} />}
          {state.kind === "failed" && <Failed error={state.error} onRetry={() => setTries((count) => count + 1)} />}
        </Paper>
      </main>
    </div>
  );
}

function Failed({ error, onRetry }: { readonly error: ApiError; readonly onRetry: () => void }): ReactNode {
  if (error.code !== "invitation-unknown") {
    return <ErrorState title={error.title} detail={error.message} onRetry={onRetry} />;
  }
  return (
    <Stack gap="md">
      <Title order={1} className={styles.title}>
        This link no longer works
      </Title>
      <Text size="sm">
        The invitation was used, withdrawn or replaced by a newer one, or it has expired. Ask the person who invited you for a new
        link.
      </Text>
      <Button component="a" href={platformUrl("/")} variant="default">
        Go to the sign-in page
      </Button>
    </Stack>
  );
}

interface AcceptProps extends Props {
  readonly token: string;
  readonly offer: Offer;
}

function Accept({ token, offer, source }: AcceptProps): ReactNode {
  const navigate = useNavigate();
  const [refusal, setRefusal] = useState<ApiError | undefined>();
  const [sending, setSending] = useState(false);
  const [has, setHas] = useState<"new" | "account">("new");
  const { state, reload, leave } = source;
  const session = state.kind === "ready" ? state.session : undefined;

  const accept = async (more: Readonly<Record<string, unknown>>): Promise<void> => {
    await apiPost("/api/invitations/accept", { token, ...more });
    reload();
    await navigate("/", { replace: true });
  };
  /** For the buttons, which have no field to put an error at. */
  const act = async (work: () => Promise<void>): Promise<void> => {
    setSending(true);
    setRefusal(undefined);
    try {
      await work();
    } catch (caught) {
      setRefusal(asApiError(caught));
    }
    setSending(false);
  };

  return (
    <Stack gap="lg">
      <Stack gap={6}>
        <Title order={1} className={styles.title}>
          Join {offer.org}
        </Title>
        <Text size="sm">
          {offer.invited_by} invites <strong className={styles.address}>{offer.email}</strong> to work in {offer.org}
          {offer.role === "admin" ? " as an admin" : ""}. The invitation is valid until {formatDate(offer.expires_at)}.
        </Text>
      </Stack>
      {refusal !== undefined && (
        <Alert color="red" variant="light" role="alert" icon={<CircleAlert size={18} aria-hidden="true" />} title={refusal.title}>
          {sentence(refusal.message)}
        </Alert>
      )}
      {session !== undefined && session.user.email === offer.email && (
        <Button size="md" loading={sending} onClick={() => void act(() => accept({}))}>
          Join {offer.org}
        </Button>
      )}
      {session !== undefined && session.user.email !== offer.email && (
        <Stack gap="sm">
          <Text size="sm">
            You are signed in as <strong className={styles.address}>{session.user.email}</strong>. Sign out to accept this
            invitation as {offer.email}.
          </Text>
          <Button
            loading={sending}
            onClick={() =>
              void act(async () => {
                await apiPost("/api/auth/logout", {});
                leave();
              })
            }
          >
            Sign out
          </Button>
        </Stack>
      )}
      {session === undefined && (
        <Stack gap="md">
          <SegmentedControl
            fullWidth
            aria-label="Do you have an account?"
            value={has}
            onChange={(value) => setHas(value === "account" ? "account" : "new")}
            data={[
              { value: "new", label: "I am new here" },
              { value: "account", label: "I have an account" },
            ]}
          />
          <Form
            key={has}
            fields={has === "new" ? newFields(offer) : ACCOUNT_FIELDS}
            submitLabel={has === "new" ? "Create account and join" : "Sign in and join"}
            onSubmit={accept}
          >
            {/* Tells password managers whose password it is. */}
            <input type="text" name="username" autoComplete="username" value={offer.email} readOnly hidden />
          </Form>
        </Stack>
      )}
    </Stack>
  );
}

function newFields(offer: Offer): readonly FormField[] {
  return [
    { name: "name", label: "Your name", required: true, autoComplete: "name", initial: offer.name },
    {
      name: "password",
      label: "Choose a password",
      kind: "password",
      required: true,
      autoComplete: "new-password",
      description: "10 to 200 characters. Nobody who invites you can see or change it.",
    },
  ];
}

const ACCOUNT_FIELDS: readonly FormField[] = [
  {
    name: "password",
    label: "Your password",
    kind: "password",
    required: true,
    autoComplete: "current-password",
    description: "The password of your account on this platform",
  },
];
