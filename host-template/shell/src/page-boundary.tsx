/** The fence around every page: one that throws, or whose chunk does not load, leaves the rest of the shell alone. */

import { ErrorState } from "@platform/plugin-host/ui";
import { Component, type ErrorInfo, type ReactNode } from "react";

interface Props {
  /** Whose page it is, in words: "The page of plugin crm". */
  readonly what: string;
  /** Makes the next try a fresh one. */
  readonly onRetry?: () => void;
  readonly children: ReactNode;
}

interface State {
  readonly error: { readonly value: unknown } | null;
}

/** Shows its children, or once they have thrown a page that says so and offers another try. */
export class PageBoundary extends Component<Props, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(value: unknown): State {
    return { error: { value } };
  }

  override componentDidCatch(error: unknown, info: ErrorInfo): void {
    console.error(`${this.props.what} failed.`, error, info.componentStack);
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) {
      return this.props.children;
    }
    return (
      <ErrorState
        title={`${this.props.what} could not be shown`}
        detail={error.value instanceof Error ? error.value.message : String(error.value)}
        onRetry={() => {
          this.props.onRetry?.();
          this.setState({ error: null });
        }}
      />
    );
  }
}

/** True where an error was caught here, and written to the console already. */
export function isPageBoundary(boundary: unknown): boolean {
  return boundary instanceof PageBoundary;
}
