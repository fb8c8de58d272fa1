/** A button with a form behind it: what is POSTed is said in data, and a 422 answer lands at its fields. */

import { Alert, Button, Group, Modal, Select, Stack, Textarea, TextInput } from "@mantine/core";
import Plus from "lucide-react/icons/plus";
import { type FormEvent, type ReactNode, useState } from "react";
import { ApiError, apiPost } from "../api.ts";

/** One field of the form. */
export interface FormField {
  /** Name in the JSON that is sent, and in the problem that may come back. */
  readonly name: string;
  readonly label: string;
  readonly required?: boolean;
  readonly placeholder?: string;
  readonly description?: string;
  /** A line of text unless told. A `number` is sent as a number. */
  readonly kind?: "text" | "textarea" | "number" | "email" | "date";
  /** Makes it a choice; an option is its own label unless it has another. */
  readonly options?: readonly (string | { readonly value: string; readonly label: string })[];
  readonly initial?: string;
}

interface Props<T> {
  /** On the button and above the form: "New record". */
  readonly title: string;
  /** Where it is POSTed to. */
  readonly path: string;
  readonly fields: readonly FormField[];
  /** Turns the values into what the API takes; without it they are sent as they are. */
  readonly toBody?: (values: Readonly<Record<string, unknown>>) => unknown;
  readonly onCreated: (created: T) => void;
}

/** The button; it opens the form, which closes when the API has taken what was entered. */
export function CreateDialog<T>({ title, path, fields, toBody, onCreated }: Props<T>): ReactNode {
  const [opened, setOpened] = useState(false);
  const close = () => setOpened(false);
  return (
    <>
      <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setOpened(true)}>
        {title}
      </Button>
      <Modal opened={opened} onClose={close} title={<strong>{title}</strong>} closeButtonProps={{ "aria-label": "Close" }}>
        <CreateForm<T>
          path={path}
          fields={fields}
          toBody={toBody}
          onCancel={close}
          onCreated={(created) => {
            close();
            onCreated(created);
          }}
        />
      </Modal>
    </>
  );
}

interface FormProps<T> extends Pick<Props<T>, "path" | "fields" | "onCreated"> {
  readonly toBody: Props<T>["toBody"] | undefined;
  readonly onCancel: () => void;
}

function CreateForm<T>({ path, fields, toBody, onCancel, onCreated }: FormProps<T>): ReactNode {
  const [values, setValues] = useState<Readonly<Record<string, string>>>(() =>
    Object.fromEntries(fields.map((field) => [field.name, field.initial ?? ""])),
  );
  const [error, setError] = useState<ApiError | undefined>();
  const [sending, setSending] = useState(false);

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    setSending(true);
    setError(undefined);
    try {
      const body = valuesToSend(fields, values);
      onCreated(await apiPost<T>(path, toBody === undefined ? body : toBody(body)));
    } catch (caught) {
      setError(
        caught instanceof ApiError ? caught : new ApiError(0, { title: "Could not save", detail: String(caught) }),
      );
    } finally {
      setSending(false);
    }
  }

  const unplaced = error === undefined ? undefined : textWithoutField(error, fields);
  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack gap="md">
        {fields.map((field, index) => (
          <FieldInput
            key={field.name}
            field={field}
            first={index === 0}
            value={values[field.name] ?? ""}
            error={error?.fields[field.name]}
            onChange={(value) => setValues((last) => ({ ...last, [field.name]: value }))}
          />
        ))}
        {unplaced !== undefined && (
          <Alert color="red" variant="light" title={error?.title} role="alert">
            {unplaced}
          </Alert>
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
          <Button type="submit" loading={sending}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

interface InputProps {
  readonly field: FormField;
  readonly first: boolean;
  readonly value: string;
  readonly error: string | undefined;
  readonly onChange: (value: string) => void;
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
    value,
    "data-autofocus": first || undefined,
  };
  if (field.options !== undefined) {
    return (
      <Select
        {...common}
        data={[...field.options]}
        value={value === "" ? null : value}
        clearable={field.required !== true}
        onChange={(next) => onChange(next ?? "")}
      />
    );
  }
  if (field.kind === "textarea") {
    return <Textarea {...common} autosize minRows={3} onChange={(event) => onChange(event.currentTarget.value)} />;
  }
  return (
    <TextInput
      {...common}
      type={field.kind === "number" ? "text" : (field.kind ?? "text")}
      inputMode={field.kind === "number" ? "decimal" : undefined}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

/** The values as JSON: trimmed, empty ones left out unless they are required, numbers as numbers. */
export function valuesToSend(
  fields: readonly FormField[],
  values: Readonly<Record<string, string>>,
): Readonly<Record<string, unknown>> {
  const sent: Record<string, unknown> = {};
  for (const field of fields) {
    const text = (values[field.name] ?? "").trim();
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
