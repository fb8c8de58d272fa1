/** The connectors: which places data can come from, what the others still need, and a test of a real connection. */

import { Badge, Button, Paper, SimpleGrid, Text, Title } from "@mantine/core";
import { useResource } from "@platform/plugin-host";
import { ListSkeleton, Page, ResourceView, sentence, Ticked } from "@platform/plugin-host/ui";
import PlugZap from "lucide-react/icons/plug-zap";
import { type ReactNode, useState } from "react";
import { type Connector, NOT_INSTALLED, parted, titleOf } from "../../connectors.ts";
import { CopyCommand } from "../../copy-command.tsx";
import { may, useSession } from "../../session.ts";
import styles from "./connectors.module.css";
import { TestDialog } from "./TestDialog.tsx";

/** Those that can be used first. */
export default function ConnectorsPage(): ReactNode {
  const catalog = useResource<readonly Connector[]>("/api/connectors/catalog");
  const [tested, setTested] = useState<Connector>();
  return (
    <Page title="Connectors" description="Data sources, and what this platform needs to connect to them.">
      <ResourceView resource={catalog} what="the connectors" skeleton={<ListSkeleton rows={4} height={96} />}>
        {(connectors) => {
          const [ready, waiting] = parted(connectors);
          return (
            <>
              <Part id="connectors-ready" title="Ready" columns={3} connectors={ready} onTest={setTested} />
              {waiting.length > 0 && (
                <Part
                  id="connectors-waiting"
                  title="Driver needed"
                  hint="An operator runs the command on the server. The connector is ready as soon as its driver is installed."
                  columns={2}
                  connectors={waiting}
                  onTest={setTested}
                />
              )}
            </>
          );
        }}
      </ResourceView>
      <TestDialog connector={tested} onClose={() => setTested(undefined)} />
    </Page>
  );
}

interface PartProps {
  readonly id: string;
  readonly title: string;
  readonly hint?: string;
  /** Columns where there is room. */
  readonly columns: number;
  readonly connectors: readonly Connector[];
  readonly onTest: (connector: Connector) => void;
}

function Part({ id, title, hint, columns, connectors, onTest }: PartProps): ReactNode {
  return (
    <section aria-labelledby={id}>
      <Title order={2} size="h3" id={id} mb={hint === undefined ? "sm" : 0}>
        {title}
      </Title>
      {hint !== undefined && (
        <Text size="sm" c="dimmed" mb="sm">
          {hint}
        </Text>
      )}
      <SimpleGrid component="ul" cols={{ base: 1, sm: 2, lg: columns }} className={styles.list}>
        {connectors.map((connector) => (
          <Card key={connector.type} connector={connector} onTest={() => onTest(connector)} />
        ))}
      </SimpleGrid>
    </section>
  );
}

interface CardProps {
  readonly connector: Connector;
  readonly onTest: () => void;
}

function Card({ connector, onTest }: CardProps): ReactNode {
  const { type, available, built_in, driver, package: pip, reason, install } = connector;
  const mayTest = may(useSession(), "connectors.test");
  return (
    <Paper withBorder component="li" className={styles.card} data-connector={type} data-available={available}>
      <div className={styles.head}>
        <Text fw={600} size="sm" className={styles.title}>
          {titleOf(connector)}
        </Text>
        {available && (
          <Badge variant="light" color="teal" className={styles.badge}>
            {built_in ? "built in" : "driver installed"}
          </Badge>
        )}
      </div>
      {available ? (
        <>
          <Text size="xs" c="dimmed">
            {built_in ? "Needs no driver" : `Python package ${pip ?? driver ?? type}`}
          </Text>
          {mayTest && (
            <Button
              variant="default"
              size="compact-sm"
              className={styles.action}
              leftSection={<PlugZap size={14} aria-hidden="true" />}
              aria-label={`Test a connection to ${connector.display_name}`}
              onClick={onTest}
            >
              Test a connection
            </Button>
          )}
        </>
      ) : (
        <>
          {pip !== null && (
            <Text size="xs" c="dimmed">
              Python package {pip}
            </Text>
          )}
          {reason !== null && reason !== NOT_INSTALLED && (
            <Text size="xs" c="dimmed">
              <Ticked text={sentence(reason)} />
            </Text>
          )}
          {install !== null && (
            <span className={styles.action}>
              <CopyCommand command={install} />
            </span>
          )}
        </>
      )}
    </Paper>
  );
}
