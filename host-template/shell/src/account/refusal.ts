/** Why signing in did not work, in words for the form. */

import type { ApiError } from "@platform/plugin-host";
import { sentence } from "@platform/plugin-host/ui";
import { countOf } from "../count.ts";

/** What the form shows after an attempt that did not work. */
export interface Refusal {
  readonly title?: string;
  readonly detail?: string;
  /** What is wrong with the field of that name. */
  readonly email?: string;
  readonly password?: string;
  /** The field to go on in. */
  readonly focus?: "email" | "password";
  /** Seconds before another attempt is worth it. */
  readonly retryAfter?: number;
}

/** Longest wait that the button counts down; after a longer one people had better read than watch. */
const LONGEST_WAIT = 600;

/** The refusal that an error comes to. */
export function refusalOf(error: ApiError): Refusal {
  if (error.code === "wrong-credentials") {
    return {
      title: "Sign-in failed",
      detail: "The e-mail address or the password is wrong. Check both and try again.",
      focus: "password",
    };
  }
  if (error.status === 429) {
    const seconds = Math.min(error.retryAfter ?? 30, LONGEST_WAIT);
    return {
      title: "Too many attempts",
      detail: `There were too many attempts to sign in. Wait ${inWords(seconds)} before the next one.`,
      retryAfter: seconds,
    };
  }
  const { email, password } = error.fields;
  if (email !== undefined || password !== undefined) {
    return {
      ...(email === undefined ? {} : { email }),
      ...(password === undefined ? {} : { password }),
      focus: email === undefined ? "password" : "email",
    };
  }
  if (error.code === "no-organisation") {
    return { title: "No organisation", detail: sentence(error.message) };
  }
  return { title: error.title, detail: sentence(error.message) };
}

/** "42 seconds", "2 minutes". */
export function inWords(seconds: number): string {
  if (seconds < 90) {
    return countOf(seconds, "second");
  }
  return `${Math.ceil(seconds / 60)} minutes`;
}
