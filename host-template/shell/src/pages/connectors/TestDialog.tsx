/** The dialog that tests a connection: what was entered is used once and kept nowhere. */

import { Alert, Modal, Text } from "@mantine/core";
import { apiPost } from "@platform/plugin-host";
import { Form, sentence, Ticked } from "@platform/plugin-host/ui";
import CircleAlert from "lucide-react/icons/circle-alert";
import CircleCheck from "lucide-react/icons/circle-check";
import { type ReactNode, useState } from "react";
import { bodyOf, type Connector, formFields, type Tested } from "../../connectors.ts";

interface Props {
  /** None while the dialog is closed. */
  readonly connector: Connector | undefined;
  readonly onClose: () => void;
}

/** The form, and below its heading how the last try ended. */
export function TestDialog({ connector, onClose }: Props): ReactNode {
  return (
    <Modal
      opened={connector !== undefined}
      onClose={onClose}
      title={<strong>{connector === undefined ? "" : `Test a connection to ${connector.display_name}`}</strong>}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {connector !== undefined && <TestForm key={connector.type} connector={connector} onClose={onClose} />}
    </Modal>
  );
}

function TestForm({ connector, onClose }: { readonly connector: Connector; readonly onClose: () => void }): ReactNode {
  const [result, setResult] = useState<Tested>();
  return (
    <Form
      fields={formFields(connector.fields)}
      submitLabel="Test"
      onCancel={onClose}
      onSubmit={async (values) => {
        setResult(undefined);
        const path = `/api/connectors/${encodeURIComponent(connector.type)}/test`;
        setResult(await apiPost<Tested>(path, bodyOf(connector.fields, values)));
      }}
    >
      <Text size="sm" c="dimmed">
        The platform opens a connection and closes it again. Nothing that you enter is stored.
      </Text>
      <div aria-live="polite">{result !== undefined && <Outcome result={result} />}</div>
    </Form>
  );
}

/** On a small screen the button that was pressed is a long way below. */
const intoView = (node: HTMLElement | null) => node?.scrollIntoView({ block: "nearest" });

function Outcome({ result: { ok, message, millis } }: { readonly result: Tested }): ReactNode {
  return (
    <Alert
      ref={intoView}
      color={ok ? "teal" : "red"}
      variant="light"
      icon={ok ? <CircleCheck size={18} aria-hidden="true" /> : <CircleAlert size={18} aria-hidden="true" />}
      title={ok ? `Connected in ${millis} ms` : "Could not connect"}
      data-test-result={ok ? "ok" : "failed"}
    >
      <Ticked text={sentence(message)} />
    </Alert>
  );
}
