/** Connectors as the API lists them, and the form that tests one: pure functions. */

import type { FormField, FormValues } from "@platform/plugin-host/ui";

/** Something that a connector is told. */
export interface ConnectorField {
  readonly name: string;
  readonly kind: "text" | "secret" | "number" | "boolean" | "choice";
  readonly required: boolean;
  /** What is taken where nothing is given. */
  readonly default?: number;
  /** The words of a choice. */
  readonly choices?: readonly string[];
}

/** A kind of place that data comes from. */
export interface Connector {
  readonly type: string;
  readonly display_name: string;
  /** Whether it needs no driver. */
  readonly built_in: boolean;
  readonly driver: string | null;
  /** The driver's pip package. */
  readonly package: string | null;
  readonly available: boolean;
  /** Why it is not available. */
  readonly reason: string | null;
  /** The command that mends it. */
  readonly install: string | null;
  readonly fields: readonly ConnectorField[];
}

/** What `POST /api/connectors/{type}/test` answers. */
export interface Tested {
  readonly ok: boolean;
  readonly message: string;
  readonly millis: number;
}

/** What the catalog gives as the reason where nothing but the driver is missing. */
export const NOT_INSTALLED = "driver not installed";

/** "Oracle", or "Oracle (driver not installed)". */
export function titleOf({
  display_name,
  available,
  reason,
  install,
}: Pick<Connector, "display_name" | "available" | "reason" | "install">): string {
  if (available) {
    return display_name;
  }
  if (reason === NOT_INSTALLED) {
    return `${display_name} (${NOT_INSTALLED})`;
  }
  return `${display_name} (${install === null ? "not available" : "driver does not work"})`;
}

/** Those that can be used, and the others; each in the order of the catalog. */
export function parted(connectors: readonly Connector[]): readonly [readonly Connector[], readonly Connector[]] {
  return [connectors.filter((connector) => connector.available), connectors.filter((connector) => !connector.available)];
}

const LABELS: Readonly<Record<string, string>> = {
  auth_database: "Authentication database",
  srv: "Resolve the host as a cluster (SRV)",
  tls: "Encryption (TLS)",
  through: "Connect through",
};

const HINTS: Readonly<Record<string, string>> = {
  credentials: "Content of the service account’s key file",
  file: "Path below the platform’s data folder, in one of the organisation’s folders",
  folder: "Path below the platform’s data folder, in one of the organisation’s folders",
};

/** A field's name as a label: "auth_database" becomes words. */
export function labelOf(name: string): string {
  const words = name.replaceAll("_", " ");
  return LABELS[name] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

const YES_NO = [
  { value: "true", label: "Yes" },
  { value: "false", label: "No" },
];

/** The form's fields. */
export function formFields(fields: readonly ConnectorField[]): readonly FormField[] {
  return fields.map(({ name, kind, required, default: usual, choices }): FormField => {
    const hint = HINTS[name];
    const common = {
      name,
      label: labelOf(name),
      required,
      ...(hint === undefined ? {} : { description: hint }),
      ...(usual === undefined ? {} : { placeholder: String(usual) }),
    };
    switch (kind) {
      case "secret":
        return { ...common, kind: "password", autoComplete: "off" };
      case "number":
        return { ...common, kind: "number" };
      case "boolean":
        return { ...common, options: YES_NO };
      case "choice":
        return { ...common, options: choices ?? [] };
      default:
        return { ...common, autoComplete: "off" };
    }
  });
}

/** What the form holds as the API takes it: yes and no as booleans. */
export function bodyOf(fields: readonly ConnectorField[], values: FormValues): FormValues {
  const flags = new Set(fields.filter((field) => field.kind === "boolean").map((field) => field.name));
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      flags.has(name) && typeof value === "string" ? value === "true" : value,
    ]),
  );
}
