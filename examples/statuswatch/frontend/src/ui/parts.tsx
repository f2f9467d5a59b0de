import { useEffect, useRef, type ReactNode } from "react";
import { messageOf } from "../api/errors";
import type { State } from "../api/types";
import { STATE_NAMES } from "../lib/status";
import { useTitle } from "./hooks";
import { Icon, type IconName } from "./icons";

/** A page's heading. It takes the focus when the page comes, so that readers begin here. */
export function Heading({ title, children }: { title: string; children?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useTitle(title);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <header className="between">
      <h1 ref={heading} tabIndex={-1}>{title}</h1>
      {children === undefined ? null : <div className="buttons">{children}</div>}
    </header>
  );
}

export function Brand({ href = "/" }: { href?: string }) {
  return (
    <a className="brand" href={href}>
      <img src="/icon.svg" alt="" width="28" height="28" />
      StatusWatch
    </a>
  );
}

export function StatePill({ state }: { state: State }) {
  return (
    <span className={`pill ${state}`}>
      <span className="dot" />
      {STATE_NAMES[state]}
    </span>
  );
}

export function Empty({ icon, title, children }: { icon: IconName; title: string; children: ReactNode }) {
  return (
    <div className="card empty">
      <span className="art"><Icon name={icon} /></span>
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** Grey shapes of what will stand here. */
export function Loading({ rows = 3, what = "Loading" }: { rows?: number; what?: string }) {
  return (
    <div className="card rows" role="status">
      <span className="hidden">{what}</span>
      <ul aria-hidden="true">
        {Array.from({ length: rows }, (_, row) => (
          <li key={row}><Skeleton width={10} height={10} /><Skeleton width={180 - row * 22} height={14} /></li>
        ))}
      </ul>
    </div>
  );
}

export function Skeleton({ width, height }: { width: number; height: number }) {
  return <svg className="skeleton" width={width} height={height} aria-hidden="true" />;
}

/** What could not be loaded, and a way to try again. */
export function Failed({ error, onRetry }: { error: unknown; onRetry: () => unknown }) {
  return (
    <div className="note problem" role="alert">
      <Icon name="alert" />
      <div>{messageOf(error)}</div>
      <button type="button" className="button small" onClick={() => void onRetry()}>Try again</button>
    </div>
  );
}

export function Problem({ error }: { error: unknown }) {
  if (error === null || error === undefined) return null;
  return (
    <div className="note problem" role="alert">
      <Icon name="alert" />
      <div>{messageOf(error)}</div>
    </div>
  );
}

interface SegmentsProps<T extends string> {
  readonly label: string;
  readonly options: readonly T[];
  readonly chosen: T;
  readonly onChoose: (option: T) => void;
}

export function Segments<T extends string>({ label, options, chosen, onChoose }: SegmentsProps<T>) {
  return (
    <div className="segments" role="group" aria-label={label}>
      {options.map((option) => (
        <button key={option} type="button" aria-pressed={option === chosen} onClick={() => onChoose(option)}>
          {option}
        </button>
      ))}
    </div>
  );
}
