/** What is known of one model: how it fared, what dbt said, and what stands before and after it. */

import type { ReactNode } from "react";
import { childrenOf, formatSeconds, type Model, parentsOf, verdictOfModel } from "../../flow.ts";
import styles from "./flow.module.css";
import { VerdictBadge } from "./Verdict.tsx";

interface Props {
  readonly model: Model;
  /** All models of the workspace. */
  readonly nodes: readonly Model[];
}

/** The facts as a list; what is not known is left out. */
export function ModelFacts({ model, nodes }: Props): ReactNode {
  const names = (models: readonly Model[]) => (models.length === 0 ? undefined : models.map((one) => one.name).join(", "));
  const facts: readonly (readonly [string, ReactNode])[] = [
    ["Last run", <VerdictBadge key="verdict" verdict={verdictOfModel(model)} />],
    ["Duration", model.seconds === null ? undefined : formatSeconds(model.seconds)],
    ["Failed tests", model.failed_tests.length === 0 ? undefined : <Tests key="tests" names={model.failed_tests} />],
    [
      "dbt says",
      model.message === null ? undefined : (
        <pre key="message" className={styles.message}>
          {model.message}
        </pre>
      ),
    ],
    ["Kind", model.kind],
    ["Depends on", names(parentsOf(nodes, model))],
    ["Used by", names(childrenOf(nodes, model.id))],
    ["Identifier", model.id],
  ];
  return (
    <dl className={styles.facts}>
      {facts.map(([name, value]) =>
        value === undefined ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}

function Tests({ names }: { readonly names: readonly string[] }): ReactNode {
  return (
    <ul className={styles.tests}>
      {names.map((name) => (
        <li key={name}>
          <code>{name}</code>
        </li>
      ))}
    </ul>
  );
}
