/** One dashboard: its blocks, in their order. */

import { Anchor } from "@mantine/core";
import { useResource } from "@platform/plugin-host";
import { EmptyState, ErrorState, ListSkeleton, Page } from "@platform/plugin-host/ui";
import ArrowLeft from "lucide-react/icons/arrow-left";
import type { ReactNode } from "react";
import { Link, useParams } from "react-router";
import type { Dashboard } from "../../dashboards.ts";
import { useReloadOnNews } from "../../session.ts";
import { Block } from "./Block.tsx";
import styles from "./dashboards.module.css";

/** The dashboard that the address names. */
export default function BoardPage(): ReactNode {
  const { id = "" } = useParams();
  const { data, error, reload } = useResource<Dashboard>(`/api/dashboards/${encodeURIComponent(id)}`);
  useReloadOnNews(reload);
  if (data === undefined || data.id !== id) {
    return (
      <Page title="Dashboard">
        {error === undefined ? (
          <ListSkeleton rows={3} height={160} />
        ) : error.status === 404 ? (
          <EmptyState
            title="There is no such dashboard"
            hint="It was removed, or the plugin that it came from is not enabled here."
            action={<Back />}
          />
        ) : (
          <ErrorState title="Could not load the dashboard" detail={error.message} onRetry={reload} />
        )}
      </Page>
    );
  }
  return (
    <Page title={data.title} description={data.plugin === null ? undefined : `From ${data.plugin}.`} actions={<Back />}>
      {data.widgets.length === 0 ? (
        <EmptyState title="This dashboard has no blocks" hint="Choose some on the Dashboards page." />
      ) : (
        <div className={styles.board}>
          {data.widgets.map((widget, place) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a board may show a block twice, and has nothing else to tell them apart
            <div key={`${place} ${widget.block}`} className={styles.widget} data-widget={widget.block}>
              <Block widget={widget} />
            </div>
          ))}
        </div>
      )}
    </Page>
  );
}

function Back(): ReactNode {
  return (
    <Anchor component={Link} to="/dashboards" size="sm" className={styles.back}>
      <ArrowLeft size={15} aria-hidden="true" />
      All dashboards
    </Anchor>
  );
}
