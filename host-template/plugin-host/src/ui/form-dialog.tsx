/** Dialogs: one around a form, and one that asks whether something is really to be done. */

import { Alert, Button, Group, Modal, Stack } from "@mantine/core";
import { type ReactNode, useState } from "react";
import type { ApiError } from "../api.ts";
import { asApiError } from "../use-resource.ts";
import { Form, type FormField, type FormValues } from "./form.tsx";
import { sentence, Ticked } from "./prose.tsx";

interface FormDialogProps {
  readonly title: string;
  readonly opened: boolean;
  readonly onClose: () => void;
  readonly fields: readonly FormField[];
  readonly submitLabel?: string;
  /** Sends the values; the dialog stays open with the error where this throws, and closes where it does not. */
  readonly onSubmit: (values: FormValues) => Promise<void>;
  /** Stands above the fields. */
  readonly children?: ReactNode;
}

/** A form that is opened from elsewhere. Each opening begins with the fields' initial values. */
export function FormDialog({ title, opened, onClose, onSubmit, ...form }: FormDialogProps): ReactNode {
  return (
    <Modal opened={opened} onClose={onClose} title={<strong>{title}</strong>} closeButtonProps={{ "aria-label": "Close" }}>
      <Form
        {...form}
        onCancel={onClose}
        onSubmit={async (values) => {
          await onSubmit(values);
          onClose();
        }}
      />
    </Modal>
  );
}

interface ConfirmDialogProps {
  readonly title: string;
  readonly opened: boolean;
  readonly onClose: () => void;
  /** On the button: "Remove". */
  readonly confirmLabel: string;
  /** Does it; the dialog stays open with the error where this throws, and closes where it does not. */
  readonly onConfirm: () => Promise<void>;
  /** What will happen. */
  readonly children: ReactNode;
}

/** Asks before something is taken away. */
export function ConfirmDialog({ title, opened, onClose, ...body }: ConfirmDialogProps): ReactNode {
  return (
    <Modal opened={opened} onClose={onClose} title={<strong>{title}</strong>} closeButtonProps={{ "aria-label": "Close" }}>
      <ConfirmBody onClose={onClose} {...body} />
    </Modal>
  );
}

type BodyProps = Pick<ConfirmDialogProps, "onClose" | "confirmLabel" | "onConfirm" | "children">;

function ConfirmBody({ onClose, confirmLabel, onConfirm, children }: BodyProps): ReactNode {
  const [error, setError] = useState<ApiError | undefined>();
  const [sending, setSending] = useState(false);

  async function confirm(): Promise<void> {
    setSending(true);
    setError(undefined);
    try {
      await onConfirm();
      onClose();
    } catch (caught) {
      setError(asApiError(caught));
    } finally {
      setSending(false);
    }
  }

  return (
    <Stack gap="md">
      {children}
      {error !== undefined && (
        <Alert color="red" variant="light" title={error.title} role="alert">
          <Ticked text={sentence(error.message)} />
        </Alert>
      )}
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <Button color="red.9" loading={sending} onClick={() => void confirm()}>
          {confirmLabel}
        </Button>
      </Group>
    </Stack>
  );
}
