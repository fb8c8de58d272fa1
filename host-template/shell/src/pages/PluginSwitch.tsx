/** One switch of a plugin, and why it could not be turned. */

import { Alert, Switch } from "@mantine/core";
import { sentence, Ticked } from "@platform/plugin-host/ui";
import CircleAlert from "lucide-react/icons/circle-alert";
import type { ReactNode } from "react";
import { type PluginInfo, turnable } from "../plugins.ts";
import type { Switches } from "./plugin-switches.ts";

interface Props {
  readonly plugin: PluginInfo;
  readonly switches: Switches;
  /** None for the whole organisation. */
  readonly tenant: string | null;
  readonly enabled: boolean;
  /** Name of the tenant or organisation. */
  readonly place: string;
  /** Stands beside the switch; it is named "Enable <plugin> for <place>" in any case. */
  readonly label?: ReactNode;
}

/** Turns the plugin on and off for one place. */
export function PluginSwitch({ plugin, switches, tenant, enabled, place, label }: Props): ReactNode {
  const busy = switches.busy(plugin.name, tenant);
  return (
    <Switch
      checked={enabled}
      disabled={!turnable(plugin, enabled)}
      aria-label={`Enable ${plugin.display_name} for ${place}`}
      aria-busy={busy || undefined}
      label={label}
      withThumbIndicator={false}
      onChange={(event) => {
        if (!busy) {
          switches.turn({ plugin: plugin.name, tenant, on: event.currentTarget.checked });
        }
      }}
    />
  );
}

type RefusalProps = Pick<Props, "plugin" | "switches" | "tenant" | "place">;

/** The reason that the platform gave; nothing where the switch was turned. */
export function SwitchRefusal({ plugin, switches, tenant, place }: RefusalProps): ReactNode {
  const refusal = switches.refusal(plugin.name, tenant);
  if (refusal === undefined) {
    return null;
  }
  return (
    <Alert
      color="red"
      variant="light"
      role="alert"
      p="xs"
      icon={<CircleAlert size={17} aria-hidden="true" />}
      title={`${plugin.display_name} stays as it was for ${place}`}
      withCloseButton
      closeButtonLabel="Close"
      onClose={() => switches.forgive(plugin.name, tenant)}
    >
      <Ticked text={sentence(refusal.message)} />
    </Alert>
  );
}
