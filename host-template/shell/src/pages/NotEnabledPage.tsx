/** The address is a plugin's, and the plugin is off here. */

import { Button, Group } from "@mantine/core";
import { EmptyState, useDocumentTitle } from "@platform/plugin-host/ui";
import PowerOff from "lucide-react/icons/power-off";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { may, useSession } from "../session.ts";

/** Says where it is off and who can change that. */
export function NotEnabledPage({ plugin }: { readonly plugin: string }): ReactNode {
  const session = useSession();
  const admin = may(session, "admin");
  useDocumentTitle("Plugin not enabled");
  return (
    <div data-not-enabled={plugin} role="status">
      <EmptyState
        icon={<PowerOff size={22} aria-hidden="true" />}
        title={`The plugin “${plugin}” is not enabled here`}
        hint={
          <>
            It is off for {session.tenant?.name ?? session.org.name}, so its pages are not available.{" "}
            {admin ? "You can enable it on the Plugins page." : `An admin of ${session.org.name} can enable it.`}
          </>
        }
        action={
          <Group gap="xs" justify="center">
            <Button component={Link} to="/" variant="default">
              Go to the dashboard
            </Button>
            {admin && (
              <Button component={Link} to="/plugins" variant="default">
                Open Plugins
              </Button>
            )}
          </Group>
        }
      />
    </div>
  );
}
