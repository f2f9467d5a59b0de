import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Icon } from "./icons";
import { Failed, Loading } from "./parts";

interface ListedProps<T> {
  readonly query: UseQueryResult<T[]>;
  readonly what: string;
  readonly empty: ReactNode;
  readonly children: (rows: T[]) => ReactNode;
}

/** A list that is asked for: grey shapes, what went wrong, why there is nothing, or its rows. */
export function Listed<T>({ query, what, empty, children }: ListedProps<T>) {
  return (
    <>
      {query.isPending ? <Loading what={`Loading ${what}`} /> : null}
      {query.isError ? <Failed error={query.error} onRetry={query.refetch} /> : null}
      {query.data === undefined ? null : query.data.length === 0 ? empty : children(query.data)}
    </>
  );
}

interface AddButtonProps {
  readonly isAdding: boolean;
  readonly onToggle: (isAdding: boolean) => void;
  readonly children: string;
}

/** Opens the form of a new row, and closes it. */
export function AddButton({ isAdding, onToggle, children }: AddButtonProps) {
  return (
    <button type="button" className="button primary" aria-expanded={isAdding} onClick={() => onToggle(!isAdding)}>
      <Icon name={isAdding ? "close" : "plus"} />
      {isAdding ? "Close" : children}
    </button>
  );
}
