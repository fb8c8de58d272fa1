/** Each override key with its chain: who wins, and why each of the others does not. */

import { Anchor, Badge, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { overrides } from "@platform/overrides";
import { type Claim, explainChain, usePluginHost, type Verdict } from "@platform/plugin-host";
import { EmptyState, Page, SearchField } from "@platform/plugin-host/ui";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { Link, useLocation } from "react-router";
import { keyOf, PAGES } from "../pages.ts";
import { SHELL_SURFACES } from "../surfaces.ts";
import styles from "./overrides.module.css";

const CLAIMED = Object.entries(overrides);
const OWN_PATHS = PAGES.filter((page) => page.replaceable === true).map((page) => page.path);
/** What each surface of the shell is, its pages behind the others. */
const OFFERED: Readonly<Record<string, string>> = {
  ...SHELL_SURFACES,
  ...Object.fromEntries(OWN_PATHS.sort().map((path) => [keyOf({ path }), pageAt(path)])),
};
const UNCLAIMED = Object.keys(OFFERED).filter((key) => !Object.hasOwn(overrides, key));

/** The claimed keys as cards, the unclaimed ones as a list. */
export default function OverridesPage(): ReactNode {
  const [search, setSearch] = useState("");
  const wanted = search.trim().toLowerCase();
  const shown = CLAIMED.filter(([key, chain]) => matches(wanted, key, chain));
  const free = UNCLAIMED.filter((key) => matches(wanted, key, []));
  return (
    <Page
      title="Overrides"
      description="Which plugin draws which part of the interface, and why."
      actions={
        <SearchField label="Search overrides" placeholder="Search by key, plugin or file" value={search} onChange={setSearch} />
      }
    >
      <Stack gap="md">
        {shown.map(([key, chain]) => (
          <KeyCard key={key} name={key} chain={chain} />
        ))}
        {shown.length === 0 && free.length === 0 && (
          <EmptyState title="No key matches" hint={`Nothing is found for “${search}”.`} />
        )}
        {shown.length === 0 && wanted === "" && (
          <EmptyState title="Nothing is overridden" hint="No plugin of this build claims a surface." />
        )}
      </Stack>
      {free.length > 0 && <FreeKeys keys={free} />}
    </Page>
  );
}

function matches(wanted: string, key: string, chain: readonly Claim[]): boolean {
  const text = [key, OFFERED[key] ?? "", ...chain.flatMap((claim) => [claim.plugin, claim.file])];
  return text.join("\n").toLowerCase().includes(wanted);
}

function KeyCard({ name, chain }: { readonly name: string; readonly chain: readonly Claim[] }): ReactNode {
  const { enabled } = usePluginHost();
  const verdicts = explainChain(chain, enabled);
  const winner = verdicts.find((verdict) => verdict.outcome === "wins");
  const headingId = `key-${name}`;
  const [card, named] = useNamedByHash(name);
  return (
    <Paper
      withBorder
      component="section"
      ref={card}
      aria-labelledby={headingId}
      data-key={name}
      data-named={named || undefined}
      className={styles.card}
    >
      <Group justify="space-between" gap="xs" className={styles.head}>
        <div>
          <Title order={2} size="sm" id={headingId} className={styles.key}>
            {name}
          </Title>
          <Text size="xs" c="dimmed">
            {describe(name)}
          </Text>
        </div>
        <Text size="sm">
          {winner === undefined ? (
            <Text span c="dimmed" size="sm">
              Shows the default
            </Text>
          ) : (
            <>
              Shown by <strong>{winner.claim.plugin}</strong>
            </>
          )}
        </Text>
      </Group>
      <ol className={styles.chain}>
        {verdicts.map((verdict) => (
          <ClaimRow key={verdict.claim.id} verdict={verdict} />
        ))}
        <li className={styles.claim} data-outcome="default">
          <span className={styles.rail} aria-hidden="true" />
          <Text size="sm" c="dimmed">
            The default of the component that uses it
          </Text>
        </li>
      </ol>
    </Paper>
  );
}

/** Brings a card into view when the address names its key, as links from the Plugins page do. */
function useNamedByHash(name: string) {
  const card = useRef<HTMLDivElement>(null);
  const named = useLocation().hash === `#${encodeURIComponent(name)}`;
  useEffect(() => {
    if (named) {
      card.current?.scrollIntoView({ block: "center" });
    }
  }, [named]);
  return [card, named] as const;
}

const OUTCOMES = {
  wins: { label: "wins", colour: "teal" },
  replaced: { label: "replaced", colour: "gray" },
  off: { label: "not enabled", colour: "gray" },
} as const;

function ClaimRow({ verdict }: { readonly verdict: Verdict<Claim> }): ReactNode {
  const { claim, outcome, reason } = verdict;
  const { label, colour } = OUTCOMES[outcome];
  return (
    <li className={styles.claim} data-outcome={outcome} data-claim={claim.id}>
      <span className={styles.rail} aria-hidden="true" />
      <div className={styles.who}>
        <Group gap="xs">
          <Text size="sm" fw={600}>
            {claim.plugin}
          </Text>
          <Badge variant="light" color={colour}>
            {label}
          </Badge>
          <Text size="xs" c="dimmed">
            priority {claim.priority}
          </Text>
        </Group>
        <Text size="xs" c="dimmed" className={styles.file}>
          {claim.file}
          {claim.export === "default" ? "" : ` · ${claim.export}`}
        </Text>
      </div>
      <Text size="sm" className={styles.reason}>
        {reason}
      </Text>
    </li>
  );
}

function pageAt(path: string): string {
  return `The page at ${path}`;
}

/** What a key stands for, in words. */
function describe(key: string): string {
  const known = OFFERED[key];
  if (known !== undefined) {
    return known;
  }
  if (key.startsWith("route:")) {
    return pageAt(key.slice("route:".length));
  }
  return key.startsWith("block:") ? "A block that pages and dashboards may use" : "A surface of a plugin";
}

function FreeKeys({ keys }: { readonly keys: readonly string[] }): ReactNode {
  return (
    <section aria-labelledby="free-keys">
      <Title order={2} size="h3" mb={4} id="free-keys">
        Not claimed
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        The shell has these surfaces too; no plugin of this build claims them, so their default is shown. The{" "}
        <Anchor component={Link} to="/plugins" size="sm" underline="always">
          Plugins
        </Anchor>{" "}
        page lists what each plugin holds.
      </Text>
      <ul className={styles.free}>
        {keys.map((key) => (
          <li key={key}>
            <code className={styles.key}>{key}</code>
            <Text size="xs" c="dimmed">
              {describe(key)}
            </Text>
          </li>
        ))}
      </ul>
    </section>
  );
}
