/** A page that not everybody may see: whoever may not is told so, and by whom it can be changed. */

import { Button } from "@mantine/core";
import { EmptyState, useDocumentTitle } from "@platform/plugin-host/ui";
import Lock from "lucide-react/icons/lock";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { type Access, may, useSession } from "../session.ts";

interface Props {
  readonly access: Access;
  /** Name of the page. */
  readonly title: string;
  readonly children: ReactNode;
}

/** The page, or why it is not shown. The API decides for itself; this only saves a page full of refused calls. */
export function RequireAccess({ access, title, children }: Props): ReactNode {
  return may(useSession(), access) ? children : <Forbidden access={access} title={title} />;
}

function Forbidden({ access, title }: Pick<Props, "access" | "title">): ReactNode {
  const { org } = useSession();
  useDocumentTitle(`${title}: not allowed`);
  return (
    <EmptyState
      icon={<Lock size={22} aria-hidden="true" />}
      title="403: you do not have access to this page"
      hint={
        access === "admin" ? (
          <>
            Only admins of {org.name} see the page “{title}”. Ask one of them if you need it.
          </>
        ) : (
          <>
            The page “{title}” needs the permission <code>{access}</code>. An admin of {org.name} can add you to a group that has
            it.
          </>
        )
      }
      action={
        <Button component={Link} to="/" variant="default">
          Go to the dashboard
        </Button>
      }
    />
  );
}
