/** Another password for oneself. */

import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { ApiError, apiPost } from "@platform/plugin-host";
import { Form, type FormField } from "@platform/plugin-host/ui";
import { type ReactNode, useState } from "react";
import { useSession } from "../session.ts";

const FIELDS: readonly FormField[] = [
  { name: "current", label: "Current password", kind: "password", required: true, autoComplete: "current-password" },
  {
    name: "new",
    label: "New password",
    kind: "password",
    required: true,
    autoComplete: "new-password",
    description: "10 to 200 characters. A few words in a row are easy to remember and hard to guess.",
  },
  { name: "again", label: "New password again", kind: "password", required: true, autoComplete: "new-password" },
];

interface Props {
  readonly opened: boolean;
  readonly onClose: () => void;
}

/** The form; once the password is changed, what that means. */
export function PasswordDialog({ opened, onClose }: Props): ReactNode {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={<strong>Change password</strong>}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <PasswordForm onClose={onClose} />
    </Modal>
  );
}

function PasswordForm({ onClose }: Pick<Props, "onClose">): ReactNode {
  const { user } = useSession();
  const [done, setDone] = useState(false);
  if (done) {
    return (
      <Stack gap="md" role="status">
        <Text size="sm">Your password is changed. All your other sessions have ended.</Text>
        <Group justify="flex-end">
          <Button onClick={onClose} autoFocus>
            Done
          </Button>
        </Group>
      </Stack>
    );
  }
  return (
    <Form
      fields={FIELDS}
      submitLabel="Change password"
      onCancel={onClose}
      onSubmit={async (values) => {
        checkAgain(values);
        await apiPost("/api/auth/password", { current: values.current, new: values.new });
        setDone(true);
      }}
    >
      {/* Tells password managers whose password it is. */}
      <input type="text" name="username" autoComplete="username" value={user.email} readOnly hidden />
    </Form>
  );
}

/** Refuses a new password that was not typed twice the same. */
export function checkAgain(values: Readonly<Record<string, unknown>>): void {
  if (values.new !== values.again) {
    throw new ApiError(422, {
      title: "The passwords do not match",
      errors: [{ field: "again", message: "does not match the new password" }],
    });
  }
}
