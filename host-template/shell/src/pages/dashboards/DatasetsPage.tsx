/** The dataset templates of plugins: which columns a new dataset of each kind has. */

import { Badge, Group, Paper, SimpleGrid, Text, Title } from "@mantine/core";
import { useResource } from "@platform/plugin-host";
import { EmptyState, Page, ResourceView, SearchField } from "@platform/plugin-host/ui";
import { type ReactNode, useState } from "react";
import { type DatasetTemplate, templatesMatching } from "../../dashboards.ts";
import { useReloadOnNews } from "../../session.ts";
import styles from "./dashboards.module.css";

/** A card a template. */
export default function DatasetsPage(): ReactNode {
  const templates = useResource<readonly DatasetTemplate[]>("/api/datasets/templates");
  useReloadOnNews(templates.reload);
  const [search, setSearch] = useState("");
  return (
    <Page
      title="Datasets"
      description="Templates of plugins, with the columns of a dataset of each kind."
      actions={
        (templates.data?.length ?? 0) > 1 && (
          <SearchField label="Search templates" placeholder="Search by name or column" value={search} onChange={setSearch} />
        )
      }
    >
      <ResourceView resource={templates} what="the dataset templates">
        {(all) => <Templates all={all} shown={templatesMatching(all, search)} search={search} />}
      </ResourceView>
    </Page>
  );
}

interface Props {
  readonly all: readonly DatasetTemplate[];
  readonly shown: readonly DatasetTemplate[];
  readonly search: string;
}

function Templates({ all, shown, search }: Props): ReactNode {
  if (all.length === 0) {
    return <EmptyState title="No templates" hint="No enabled plugin has a dataset template." />;
  }
  if (shown.length === 0) {
    return <EmptyState title="No template matches" hint={`Nothing is found for “${search}”.`} />;
  }
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
      {shown.map((template) => (
        <Template key={`${template.plugin}/${template.slug}`} template={template} />
      ))}
    </SimpleGrid>
  );
}

function Template({ template }: { readonly template: DatasetTemplate }): ReactNode {
  const { slug, display_name, plugin, columns } = template;
  const headingId = `template-${plugin}-${slug}`;
  return (
    <Paper withBorder component="section" aria-labelledby={headingId} className={styles.template} data-template={slug}>
      <Group justify="space-between" wrap="nowrap" align="flex-start" gap="sm" mb="sm">
        <div className={styles.name}>
          <Title order={2} size="sm" id={headingId}>
            {display_name}
          </Title>
          <Text size="xs" c="dimmed">
            <code>{slug}</code>
          </Text>
        </div>
        <Badge variant="light" className={styles.badge}>
          {plugin}
        </Badge>
      </Group>
      {columns.length === 0 ? (
        <Text size="sm" c="dimmed">
          No columns.
        </Text>
      ) : (
        <dl className={styles.columns}>
          {columns.map((column) => (
            <div key={column.name}>
              <dt>{column.name}</dt>
              <dd>{column.type}</dd>
            </div>
          ))}
        </dl>
      )}
    </Paper>
  );
}
