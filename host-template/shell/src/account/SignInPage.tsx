/** Who are you? Shown at any address until the platform knows; signing in shows what stands there. */

import { Alert, Button, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { apiGet, apiPost, asApiError } from "@platform/plugin-host";
import { useDocumentTitle } from "@platform/plugin-host/ui";
import CircleAlert from "lucide-react/icons/circle-alert";
import Info from "lucide-react/icons/info";
import { type ReactNode, type SubmitEvent, useEffect, useRef, useState } from "react";
import { Mark } from "../layout/Mark.tsx";
import { SchemeMenu } from "../layout/SchemeMenu.tsx";
import { type Refusal, refusalOf } from "./refusal.ts";
import styles from "./sign-in.module.css";

/** The name that the served page carries. */
const platformName = document.title;

interface Props {
  /** A session was there and is no more: whoever sees this page did not ask for it. */
  readonly ended: boolean;
  readonly onSignedIn: () => void;
}

/** The form, in the middle of an otherwise empty page. */
export function SignInPage({ ended, onSignedIn }: Props): ReactNode {
  useDocumentTitle("Sign in");
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
          <Stack gap="lg">
            <Title order={1} className={styles.title}>
              Sign in
            </Title>
            {ended && (
              <Alert variant="light" color="blue" icon={<Info size={18} aria-hidden="true" />} role="status">
                Your session has ended. Sign in to continue where you were.
              </Alert>
            )}
            <SignInForm onSignedIn={onSignedIn} />
          </Stack>
        </Paper>
        <Text size="xs" c="dimmed" className={styles.hint}>
          No account? An admin of your organisation can invite you. If you lost your password, ask the operator of this platform.
        </Text>
      </main>
    </div>
  );
}

function SignInForm({ onSignedIn }: Pick<Props, "onSignedIn">): ReactNode {
  const [refusal, setRefusal] = useState<Refusal | undefined>();
  const [sending, setSending] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const wait = useCountdown(refusal?.retryAfter);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    // Read from the fields: password managers fill them in without telling the page.
    const entered = new FormData(form.current ?? undefined);
    const email = String(entered.get("email") ?? "").trim();
    const password = String(entered.get("password") ?? "");
    const missing = missingIn(email, password);
    if (missing !== undefined) {
      setRefusal(missing);
      return;
    }
    setSending(true);
    try {
      await apiPost("/api/auth/login", { email, password });
    } catch (caught) {
      setSending(false);
      setRefusal(refusalOf(asApiError(caught)));
      return;
    }
    try {
      await apiGet("/api/session");
      onSignedIn();
    } catch (caught) {
      const error = asApiError(caught);
      setSending(false);
      setRefusal(error.status === 401 ? NO_COOKIE : refusalOf(error));
    }
  }

  useEffect(() => {
    if (refusal?.focus !== undefined) {
      const field = form.current?.querySelector<HTMLInputElement>(`[name="${refusal.focus}"]`);
      field?.focus();
      field?.select();
    }
  }, [refusal]);

  return (
    <form ref={form} method="post" onSubmit={(event) => void submit(event)} noValidate>
      <Stack gap="md">
        <TextInput
          label="E-mail address"
          name="email"
          type="email"
          inputMode="email"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus
          required
          withAsterisk={false}
          error={refusal?.email}
          size="md"
        />
        <PasswordInput
          label="Password"
          name="password"
          autoComplete="current-password"
          required
          withAsterisk={false}
          error={refusal?.password}
          aria-invalid={refusal?.password !== undefined}
          visibilityToggleFocusable
          visibilityToggleButtonProps={{ "aria-label": "Show or hide the password" }}
          size="md"
        />
        {refusal?.title !== undefined && (
          <Alert
            color="red"
            variant="light"
            role="alert"
            icon={<CircleAlert size={18} aria-hidden="true" />}
            title={refusal.title}
          >
            {refusal.detail}
          </Alert>
        )}
        <Button type="submit" size="md" fullWidth loading={sending} disabled={wait > 0}>
          {wait > 0 ? `Try again in ${wait} s` : "Sign in"}
        </Button>
      </Stack>
    </form>
  );
}

const NO_COOKIE: Refusal = {
  title: "The browser did not keep the session",
  detail: "E-mail address and password are correct, but signing in requires a cookie. Allow cookies for this address.",
};

function missingIn(email: string, password: string): Refusal | undefined {
  if (email !== "" && password !== "") {
    return undefined;
  }
  return {
    ...(email === "" ? { email: "Enter your e-mail address" } : {}),
    ...(password === "" ? { password: "Enter your password" } : {}),
    focus: email === "" ? "email" : "password",
  };
}

/** Seconds that are left of a wait, counted down; 0 where there is none. */
function useCountdown(seconds: number | undefined): number {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (seconds === undefined) {
      setLeft(0);
      return;
    }
    const end = Date.now() + seconds * 1_000;
    const look = () => setLeft(Math.max(0, Math.ceil((end - Date.now()) / 1_000)));
    look();
    const timer = window.setInterval(look, 500);
    return () => window.clearInterval(timer);
  }, [seconds]);
  return left;
}
