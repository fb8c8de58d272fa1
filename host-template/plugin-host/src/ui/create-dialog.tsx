/** A button with a form behind it: what is POSTed is said in data, and a 422 answer lands at its fields. */

import { Button } from "@mantine/core";
import Plus from "lucide-react/icons/plus";
import { type ReactNode, useState } from "react";
import { apiPost } from "../api.ts";
import { usePluginHost } from "../context.tsx";
import type { FormField, FormValues } from "./form.tsx";
import { FormDialog } from "./form-dialog.tsx";

interface Props<T> {
  /** On the button and above the form: "New record". */
  readonly title: string;
  /** Where it is POSTed to. */
  readonly path: string;
  readonly fields: readonly FormField[];
  /** Only who holds it sees the button. */
  readonly permission?: string;
  /** Turns the values into what the API takes; without it they are sent as they are. */
  readonly toBody?: (values: FormValues) => unknown;
  readonly onCreated: (created: T) => void;
}

/** The button; it opens the form, which closes when the API has taken what was entered. */
export function CreateDialog<T>({ title, path, fields, permission, toBody, onCreated }: Props<T>): ReactNode {
  const { permissions } = usePluginHost();
  const [opened, setOpened] = useState(false);
  if (permission !== undefined && !permissions.has(permission)) {
    return null;
  }
  return (
    <>
      <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setOpened(true)}>
        {title}
      </Button>
      <FormDialog
        title={title}
        opened={opened}
        onClose={() => setOpened(false)}
        fields={fields}
        onSubmit={async (values) => onCreated(await apiPost<T>(path, toBody === undefined ? values : toBody(values)))}
      />
    </>
  );
}
