/** No page at this address. */

import { Button } from "@mantine/core";
import { EmptyState, useDocumentTitle } from "@platform/plugin-host/ui";
import FileQuestion from "lucide-react/icons/file-question";
import type { ReactNode } from "react";
import { Link, useLocation } from "react-router";

/** Says what was asked for and leads back. */
export function NotFoundPage(): ReactNode {
  const { pathname } = useLocation();
  useDocumentTitle("Page not found");
  return (
    <EmptyState
      icon={<FileQuestion size={22} aria-hidden="true" />}
      title="404: there is no page here"
      hint={
        <>
          There is nothing at <code>{pathname}</code>. It may belong to a plugin that is not enabled for you.
        </>
      }
      action={
        <Button component={Link} to="/" variant="default">
          Go to the dashboard
        </Button>
      }
    />
  );
}
