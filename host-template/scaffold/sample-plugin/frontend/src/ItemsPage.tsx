/** Items: a table with pages, and a form for a new one. */

import {
  type Column,
  CreateDialog,
  DataTable,
  EmptyState,
  type FormField,
  formatDate,
  Page,
  Pager,
  ResourceView,
  useListPage,
} from "@platform/plugin-host/ui";
import type { ReactNode } from "react";

/** An item, as the plugin's API gives it. */
interface Item {
  readonly id: string;
  readonly title: string;
  readonly created_at: string;
}

const ITEMS = "/api/sample-plugin/items";

const FIELDS: readonly FormField[] = [{ name: "title", label: "Title", required: true, placeholder: "Third item" }];

const COLUMNS: readonly Column<Item>[] = [
  { label: "Title", cell: (item) => item.title },
  { label: "Since", cell: (item) => formatDate(item.created_at) },
];

/** The page at `/sample-plugin/items`. */
export function ItemsPage(): ReactNode {
  const { resource, page, setPage } = useListPage<Item>(ITEMS);
  const created = () => {
    setPage(1);
    resource.reload();
  };
  return (
    <Page
      title="Sample plugin"
      description="Items, until there is something better to show."
      actions={<CreateDialog title="New item" path={ITEMS} fields={FIELDS} onCreated={created} />}
    >
      <ResourceView resource={resource} what="the items">
        {(list) =>
          list.items.length === 0 ? (
            <EmptyState title="No items yet" hint="Make the first one with “New item”." />
          ) : (
            <>
              <DataTable caption="Items" columns={COLUMNS} rows={list.items} rowKey={(item) => item.id} />
              <Pager list={list} page={page} onPage={setPage} />
            </>
          )
        }
      </ResourceView>
    </Page>
  );
}
