/** `<Surface>` and `useOverride`: the two ways to ask for an override. */

import { type ComponentType, createContext, type ReactNode, Suspense, use, useMemo, useState } from "react";
import { OverrideBoundary } from "./boundary.tsx";
import { activeChain } from "./chain.ts";
import { usePluginHost } from "./context.tsx";
import { type AnyComponent, claimComponent } from "./loading.ts";
import styles from "./plugin-host.module.css";
import type { Claim, OriginalOf, OverrideKey, PropsOf } from "./types.ts";

type AnyProps = Readonly<Record<string, unknown>>;

/** Draws the default surface with some props. */
type Default = (props: AnyProps) => ReactNode;

/** Everything that is left of a chain at one point, and what stands at its end. */
interface Rest {
  readonly surface: string;
  readonly chain: readonly Claim[];
  readonly props: AnyProps;
  readonly drawDefault: Default;
  readonly pending: ReactNode;
}

/** The surface's props as an argument: needed only where a prop is. */
type PropsArgument<K extends OverrideKey> =
  object extends PropsOf<K> ? { readonly props?: PropsOf<K> } : { readonly props: PropsOf<K> };

type SurfaceArguments<K extends OverrideKey> = PropsArgument<K> & {
  /** The override key. Write it as a literal: the build reads it to check the keys that plugins claim. */
  readonly name: K;
  /** The default; a function gets the props, changed ones where an override passed some to `Original`. */
  readonly children?: ReactNode | ((props: PropsOf<K>) => ReactNode);
  /** Shown while the override's chunk is on its way. */
  readonly pending?: ReactNode;
};

/** A place that plugins may take over; `children` are what is shown where none does. */
export function Surface<K extends OverrideKey>({ name, props, children, pending }: SurfaceArguments<K>): ReactNode {
  const chain = useActiveChain(name);
  const drawDefault = (given: AnyProps): ReactNode => (typeof children === "function" ? children(given as PropsOf<K>) : children);
  return (
    <ChainView
      surface={name}
      chain={chain}
      props={(props ?? {}) as AnyProps}
      drawDefault={drawDefault}
      pending={pending ?? <Pending />}
    />
  );
}

/**
 * The winning override of a key as a component, or null where no enabled plugin claims it.
 *
 * The component keeps its identity for as long as the same plugins are enabled. Hand it your default as `Original`,
 * so that it has something to fall back on.
 */
export function useOverride<K extends OverrideKey>(key: K): ComponentType<PropsOf<K> & { Original?: OriginalOf<K> }> | null {
  const chain = useActiveChain(key);
  return chain.length === 0 ? null : overrideComponent(key, chain);
}

function useActiveChain(key: string): readonly Claim[] {
  const { chains, enabled } = usePluginHost();
  return useMemo(() => activeChain(Object.hasOwn(chains, key) ? chains[key] : undefined, enabled), [chains, enabled, key]);
}

const components = new Map<string, AnyComponent>();

/** The component for one key and one active chain, made once. */
function overrideComponent(key: string, chain: readonly Claim[]): AnyComponent {
  const id = JSON.stringify([key, ...chain.map((claim) => claim.id)]);
  const known = components.get(id);
  if (known !== undefined) {
    return known;
  }
  // biome-ignore lint/correctness/noComponentHookFactories: kept in `components`, one for each key and chain
  function Override({ Original, ...props }: AnyProps & { Original?: AnyComponent }): ReactNode {
    const drawDefault = (given: AnyProps): ReactNode => (Original === undefined ? null : <Original {...given} />);
    return <ChainView surface={key} chain={chain} props={props} drawDefault={drawDefault} pending={<Pending />} />;
  }
  Override.displayName = `Override(${key})`;
  components.set(id, Override);
  return Override;
}

/** Shows the first claim of a chain, or the default where none is left. */
function ChainView(rest: Rest): ReactNode {
  const claim = rest.chain[0];
  return claim === undefined ? rest.drawDefault(rest.props) : <ClaimView key={claim.id} claim={claim} rest={rest} />;
}

/** One claim, fenced in, with an `Original` that shows what comes after it. */
function ClaimView({ claim, rest }: { readonly claim: Claim; readonly rest: Rest }): ReactNode {
  const [link] = useState(createLink);
  const after = useMemo(() => ({ ...rest, chain: rest.chain.slice(1) }), [rest]);
  return (
    <OverrideBoundary surface={rest.surface} claim={claim} fallback={rest.drawDefault(rest.props)}>
      <link.Context value={after}>
        <Suspense fallback={rest.pending}>
          <ClaimBody claim={claim} props={rest.props} Original={link.Original} />
        </Suspense>
      </link.Context>
    </OverrideBoundary>
  );
}

/** The claim's own component, looked up inside the fence: a retry finds the chunk that was fetched anew. */
function ClaimBody({ claim, props, Original }: BodyProps): ReactNode {
  const View = claimComponent(claim);
  return <View {...props} Original={Original} />;
}

interface BodyProps {
  readonly claim: Claim;
  readonly props: AnyProps;
  readonly Original: AnyComponent;
}

/**
 * An `Original` component that stays the same for one mounted claim, whatever its surface's props become.
 *
 * Each has a context of its own, so that `Original` means the same thing inside other surfaces as well.
 */
function createLink() {
  const Context = createContext<Rest | null>(null);
  // biome-ignore lint/correctness/noComponentHookFactories: made once for each mounted claim
  function Original(given: AnyProps): ReactNode {
    const rest = use(Context);
    return rest === null ? null : <ChainView {...rest} props={{ ...rest.props, ...given }} />;
  }
  return { Context, Original };
}

/** A quiet block in place of an override that is on its way. */
function Pending(): ReactNode {
  return <div className={styles.pending} aria-busy="true" />;
}
