/** The fence around every override: whatever it throws, the surface that it replaces is shown. */

import { Component, type ErrorInfo, type ReactNode } from "react";
import { addFailure, type FailedPlace, removeFailure } from "./failures.ts";
import { FailureNotice } from "./notice.tsx";
import type { Claim } from "./types.ts";

interface Props {
  readonly surface: string;
  readonly claim: Claim;
  /** The default surface. */
  readonly fallback: ReactNode;
  readonly children: ReactNode;
}

interface State {
  readonly error: { readonly value: unknown } | null;
}

/** Shows its children, or once they have thrown the fallback with a notice. */
export class OverrideBoundary extends Component<Props, State> implements FailedPlace {
  override state: State = { error: null };

  static getDerivedStateFromError(value: unknown): State {
    return { error: { value } };
  }

  override componentDidCatch(error: unknown, info: ErrorInfo): void {
    const { claim, surface } = this.props;
    if (addFailure(claim, this)) {
      console.error(
        `The override "${surface}" of plugin "${claim.plugin}" (${claim.file}) failed; the default is shown instead.`,
        error,
        info.componentStack,
      );
    }
  }

  /** Strict mode takes a new component off the page and puts it back: the failure has to come back with it. */
  override componentDidMount(): void {
    if (this.state.error !== null) {
      addFailure(this.props.claim, this);
    }
  }

  override componentWillUnmount(): void {
    removeFailure(this.props.claim.id, this);
  }

  retry(): void {
    this.setState({ error: null });
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) {
      return this.props.children;
    }
    return (
      <>
        <FailureNotice claim={this.props.claim} surface={this.props.surface} place={this} error={error.value} />
        {this.props.fallback}
      </>
    );
  }
}

/** True where an error was caught by an override's fence, which has written it to the console already. */
export function isOverrideBoundary(boundary: unknown): boolean {
  return boundary instanceof OverrideBoundary;
}
