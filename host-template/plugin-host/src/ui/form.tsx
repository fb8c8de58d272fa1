/** A form said in data: its fields, what is sent of them, and where the errors of a 422 answer land. */

import {
  Alert,
  Button,
  Checkbox,
  Group,
  Input,
  MultiSelect,
  PasswordInput,
  Select,
  SimpleGrid,
  Stack,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { type ReactNode, type SubmitEvent, useState } from "react";
import type { ApiError } from "../api.ts";
import { asApiError } from "../use-resource.ts";
import { sentence, Ticked } from "./prose.tsx";

/** What is entered in a field: text, or the values chosen from many. */
export type FormValue = string | readonly string[];

/** One choice. */
export interface FormOption {
  readonly value: string;
  readonly label: string;
  /** Options of one group stand together, under its name. */
  readonly group?: string;
}

/** One field of the form. */
export interface FormField {
  /** Name in the JSON that is sent, and in the problem that may come back. */
  readonly name: string;
  readonly label: string;
  readonly required?: boolean;
  readonly placeholder?: string;
  readonly description?: string;
  /** A line of text unless told. A `number` is sent as a number; `many` and `checks` as a list. */
  readonly kind?: "text" | "textarea" | "number" | "email" | "date" | "password" | "many" | "checks";
  /** Makes it a choice; an option is its own label unless it has another. */
  readonly options?: readonly (string | FormOption)[];
  readonly initial?: FormValue;
  /** What browsers and password managers may fill in: `new-password`. */
  readonly autoComplete?: string;
}

/** What the form holds when it is sent. */
export type FormValues = Readonly<Record<string, unknown>>;

interface Props {
  readonly fields: readonly FormField[];
  readonly submitLabel?: string;
  /** Sends the values; what it throws is shown at the fields. */
  readonly onSubmit: (values: FormValues) => Promise<void>;
  /** None where there is nothing to go back to. */
  readonly onCancel?: () => void;
  /** Stands above the fields. */
  readonly children?: ReactNode;
}

/** The fields, one below the other, with "Cancel", where there is one, and "Save". */
export function Form({ fields, submitLabel = "Save", onSubmit, onCancel, children }: Props): ReactNode {
  const [values, setValues] = useState<Readonly<Record<string, FormValue>>>(() =>
    Object.fromEntries(fields.map((field) => [field.name, field.initial ?? emptyValue(field)])),
  );
  const [error, setError] = useState<ApiError | undefined>();
  const [sending, setSending] = useState(false);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    setSending(true);
    setError(undefined);
    try {
      await onSubmit(valuesToSend(fields, values));
    } catch (caught) {
      setError(asApiError(caught));
    } finally {
      setSending(false);
    }
  }

  const unplaced = error === undefined ? undefined : textWithoutField(error, fields);
  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack gap="md">
        {children}
        {fields.map((field, index) => (
          <FieldInput
            key={field.name}
            field={field}
            first={index === 0}
            value={values[field.name] ?? emptyValue(field)}
            error={error?.fields[field.name]}
            onChange={(value) => setValues((last) => ({ ...last, [field.name]: value }))}
          />
        ))}
        {unplaced !== undefined && (
          <Alert color="red" variant="light" title={error?.title} role="alert">
            <Ticked text={sentence(unplaced)} />
          </Alert>
        )}
        <Group justify="flex-end" gap="xs">
          {onCancel !== undefined && (
            <Button variant="default" onClick={onCancel}>
              Cancel
            </Button>
          )}
          <Button type="submit" loading={sending}>
            {submitLabel}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

interface InputProps {
  readonly field: FormField;
  readonly first: boolean;
  readonly value: FormValue;
  readonly error: string | undefined;
  readonly onChange: (value: FormValue) => void;
}

function FieldInput({ field, first, value, error, onChange }: InputProps): ReactNode {
  const common = {
    label: field.label,
    name: field.name,
    withAsterisk: field.required ?? false,
    "aria-required": field.required ?? false,
    placeholder: field.placeholder ?? "",
    description: field.description,
    error,
    "data-autofocus": first || undefined,
  };
  const { kind } = field;
  if (kind === "many" || kind === "checks") {
    const chosen = typeof value === "string" ? [] : [...value];
    if (kind === "checks") {
      return <Checks field={field} chosen={chosen} error={error} onChange={onChange} />;
    }
    return (
      <MultiSelect
        {...common}
        data={asOptions(field)}
        value={chosen}
        placeholder={chosen.length === 0 ? common.placeholder : ""}
        searchable
        clearable
        nothingFoundMessage="Nothing found"
        onChange={onChange}
      />
    );
  }
  const text = typeof value === "string" ? value : "";
  if (field.options !== undefined) {
    return (
      <Select
        {...common}
        data={asOptions(field)}
        value={text === "" ? null : text}
        clearable={field.required !== true}
        allowDeselect={field.required !== true}
        onChange={(next) => onChange(next ?? "")}
      />
    );
  }
  const typed = {
    ...common,
    value: text,
    onChange: (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value),
  };
  if (kind === "textarea") {
    return <Textarea {...typed} autosize minRows={3} />;
  }
  if (kind === "password") {
    // Mantine marks every other input by itself.
    return <PasswordInput {...typed} aria-invalid={error !== undefined} autoComplete={field.autoComplete ?? "off"} />;
  }
  return (
    <TextInput
      {...typed}
      type={kind === "number" ? "text" : (kind ?? "text")}
      inputMode={kind === "number" ? "decimal" : undefined}
      autoComplete={field.autoComplete}
    />
  );
}

interface ChecksProps {
  readonly field: FormField;
  readonly chosen: string[];
  readonly error: string | undefined;
  readonly onChange: (value: FormValue) => void;
}

/** A box for each option, under the names of their groups. */
function Checks({ field, chosen, error, onChange }: ChecksProps): ReactNode {
  return (
    <Checkbox.Group
      label={field.label}
      description={field.description}
      withAsterisk={field.required ?? false}
      value={chosen}
      onChange={onChange}
    >
      <Stack gap="sm" mt="xs">
        {byGroup(asOptions(field)).map(([group, options]) => (
          <Stack key={group} gap={6} role="group" aria-label={group === "" ? field.label : group}>
            {group !== "" && (
              <Text size="xs" c="dimmed" fw={600}>
                {group}
              </Text>
            )}
            <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm" verticalSpacing={6}>
              {options.map((option) => (
                <Checkbox key={option.value} size="sm" value={option.value} label={option.label} />
              ))}
            </SimpleGrid>
          </Stack>
        ))}
      </Stack>
      {error !== undefined && <Input.Error mt="xs">{error}</Input.Error>}
    </Checkbox.Group>
  );
}

function asOptions(field: FormField): FormOption[] {
  return (field.options ?? []).map((option) => (typeof option === "string" ? { value: option, label: option } : option));
}

/** The options of each group, groups and options in the order in which they came; "" for those in none. */
export function byGroup(options: readonly FormOption[]): readonly (readonly [string, readonly FormOption[]])[] {
  const groups = new Map<string, FormOption[]>();
  for (const option of options) {
    const group = option.group ?? "";
    groups.set(group, [...(groups.get(group) ?? []), option]);
  }
  return [...groups];
}

function emptyValue(field: FormField): FormValue {
  return field.kind === "many" || field.kind === "checks" ? [] : "";
}

/** The values as JSON: trimmed, empty ones left out unless they are required, numbers as numbers, lists as they are. */
export function valuesToSend(fields: readonly FormField[], values: Readonly<Record<string, FormValue>>): FormValues {
  const sent: Record<string, unknown> = {};
  for (const field of fields) {
    const value = values[field.name] ?? emptyValue(field);
    if (typeof value !== "string") {
      sent[field.name] = value;
      continue;
    }
    // A space may belong to a password.
    const text = field.kind === "password" ? value : value.trim();
    if (text === "" && field.required !== true) {
      continue;
    }
    const number = Number(text);
    sent[field.name] = field.kind === "number" && text !== "" && !Number.isNaN(number) ? number : text;
  }
  return sent;
}

/** What an error says beyond the fields that show their own part of it. */
export function textWithoutField(error: ApiError, fields: readonly FormField[]): string | undefined {
  const known = new Set(fields.map((field) => field.name));
  const named = Object.entries(error.fields);
  if (named.length === 0) {
    return error.message;
  }
  const others = named.filter(([name]) => !known.has(name)).map(([name, message]) => `${name}: ${message}`);
  return others.length === 0 ? undefined : others.join("; ");
}
