import { Component, type ErrorInfo, type ReactNode } from "react";
import { Icon } from "./icons";

interface Props {
  readonly children: ReactNode;
  readonly onReset?: () => void;
}

interface State {
  readonly error: Error | null;
}

/** A page that breaks takes nothing else with it: the rest stays usable, and there is a way on. */
export class ErrorBoundary extends Component<Props, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: Error): State {
    return { error };
  }

  override componentDidCatch(error: Error, info: ErrorInfo): void {
    console.error("a page broke", error, info.componentStack);
  }

  private readonly reset = (): void => {
    this.props.onReset?.();
    this.setState({ error: null });
  };

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <div className="boundary" role="alert">
        <div className="empty">
          <span className="art"><Icon name="alert" /></span>
          <h1>This page broke</h1>
          <p>It is our fault, and your data is safe. Try again; if it stays like this, tell us what is written below.</p>
          <p className="mono small">{error.message}</p>
          <div className="buttons">
            <button type="button" className="button primary" onClick={this.reset}>Try again</button>
            <a className="button" href="/">To the start</a>
          </div>
        </div>
      </div>
    );
  }
}
