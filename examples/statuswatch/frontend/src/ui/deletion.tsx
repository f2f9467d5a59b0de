import { useState, type ReactNode } from "react";
import { api } from "../api/client";
import { useChange } from "../api/queries";
import { Confirm } from "./Confirm";

interface Named {
  id: number;
  name: string;
}

/** Deletes a row below a path once a person has confirmed it: what asks them, and the question. */
export function useDeletion(path: string, consequence: string, ...changed: readonly string[]): [(row: Named) => void, ReactNode] {
  const [asked, setAsked] = useState<Named | null>(null);
  const remove = useChange((id: number) => api("DELETE", `${path}${id}/`), ...changed);
  const close = (): void => setAsked(null);
  if (asked === null) return [setAsked, null];
  const question = (
    <Confirm
      title={`Delete ${asked.name}?`}
      action="Delete it"
      isBusy={remove.isPending}
      error={remove.error}
      onClose={close}
      onConfirm={() => remove.mutate(asked.id, { onSuccess: close })}
    >
      {consequence}
    </Confirm>
  );
  return [setAsked, question];
}
