/** The known scripts of plugins: recipes that run as builds do, with a log and a place in the history. */

import { Alert, Button, Paper, SimpleGrid, Text, Title } from "@mantine/core";
import { type ApiError, apiPost, asApiError } from "@platform/plugin-host";
import { sentence, Ticked } from "@platform/plugin-host/ui";
import Play from "lucide-react/icons/play";
import { type ReactNode, useState } from "react";
import type { Run, Script } from "../../flow.ts";
import { may, useSession } from "../../session.ts";
import styles from "./flow.module.css";

interface Props {
  readonly scripts: readonly Script[];
  readonly onStarted: (run: Run) => void;
}

/** A card a script; nothing where there are none. */
export function Recipes({ scripts, onStarted }: Props): ReactNode {
  if (scripts.length === 0) {
    return null;
  }
  return (
    <section aria-labelledby="flow-recipes">
      <Title order={2} size="h3" id="flow-recipes">
        Recipes
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        Scripts of plugins. Each queues in the workspace whose data it writes.
      </Text>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {scripts.map((script) => (
          <Recipe key={`${script.plugin}/${script.slug}`} script={script} onStarted={onStarted} />
        ))}
      </SimpleGrid>
    </section>
  );
}

interface RecipeProps {
  readonly script: Script;
  readonly onStarted: (run: Run) => void;
}

function Recipe({ script, onStarted }: RecipeProps): ReactNode {
  const mayRun = may(useSession(), "dbt.run");
  const [sending, setSending] = useState(false);
  const [error, setError] = useState<ApiError>();
  const start = async () => {
    setSending(true);
    setError(undefined);
    try {
      const path = `/api/scripts/${encodeURIComponent(script.plugin ?? "")}/${encodeURIComponent(script.slug)}/run`;
      onStarted(await apiPost<Run>(path, {}));
    } catch (caught) {
      setError(asApiError(caught));
    } finally {
      setSending(false);
    }
  };
  return (
    <Paper withBorder p="md" className={styles.recipe} data-script={script.slug}>
      <div>
        <Text fw={600} size="sm">
          {script.display_name}
        </Text>
        <Text size="xs" c="dimmed" className={styles.where}>
          {script.plugin} · writes to <code>{script.schema}</code>
        </Text>
      </div>
      {error !== undefined && (
        <Alert color="red" variant="light" p="xs" role="alert">
          <Ticked text={sentence(error.message)} />
        </Alert>
      )}
      {mayRun && (
        <Button
          variant="default"
          size="compact-sm"
          leftSection={<Play size={14} aria-hidden="true" />}
          aria-label={`Run ${script.display_name}`}
          loading={sending}
          onClick={() => void start()}
        >
          Run
        </Button>
      )}
    </Paper>
  );
}
