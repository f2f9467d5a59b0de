import { useQuery } from "@tanstack/react-query";
import { useState, type SyntheticEvent } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/errors";
import { endpointsQuery, useChange, windowsQuery } from "../api/queries";
import type { MaintenanceWindow } from "../api/types";
import { dateTime, fromInput, toInput } from "../lib/time";
import { useDeletion } from "../ui/deletion";
import { Field, focusFirstProblem, Select } from "../ui/Field";
import { useNow } from "../ui/hooks";
import { AddButton, Listed } from "../ui/lists";
import { Empty, Heading, Problem } from "../ui/parts";

type Planned = Omit<MaintenanceWindow, "id">;

export function Maintenance() {
  const windows = useQuery(windowsQuery);
  const [isAdding, setIsAdding] = useState(false);
  return (
    <div className="content">
      <Heading title="Maintenance"><AddButton isAdding={isAdding} onToggle={setIsAdding}>Plan maintenance</AddButton></Heading>
      <p className="soft">While it lasts checks go on and are shown, failures do not count, and nobody is told.</p>
      {isAdding ? <Form onDone={() => setIsAdding(false)} /> : null}
      <Listed query={windows} what="maintenance" empty={isAdding ? null : <Nothing />}>
        {(rows) => <List windows={rows} />}
      </Listed>
    </div>
  );
}

function Nothing() {
  return <Empty icon="wrench" title="Nothing is planned"><p>Plan a window before you take something down, and no one is woken up.</p></Empty>;
}

function List({ windows }: { windows: MaintenanceWindow[] }) {
  const now = useNow();
  const endpoints = useQuery(endpointsQuery);
  const [ask, question] = useDeletion("/api/maintenance-windows/", "From then on failures count again.", "windows", "status");
  const nameOf = (id: string | null): string =>
    id === null ? "All endpoints" : (endpoints.data?.find((endpoint) => endpoint.id === id)?.name ?? "One endpoint");
  return (
    <>
      <ul className="card rows">
        {windows.map((window) => {
          const phase = new Date(window.ends_at) <= now ? "over" : new Date(window.starts_at) > now ? "planned" : "now";
          return (
            <li key={window.id}>
              <span className={phase === "now" ? "stripe warn" : "stripe"} />
              <div className="grow">
                <b>{window.name}</b>
                <p className="soft small">{nameOf(window.endpoint)}, {dateTime(window.starts_at)} to {dateTime(window.ends_at)}</p>
              </div>
              <span className={`pill ${{ over: "", planned: "brand", now: "warn" }[phase]}`}>{{ over: "Over", planned: "Planned", now: "Going on" }[phase]}</span>
              <button type="button" className="button quiet small" aria-label={`Delete ${window.name}`} onClick={() => ask(window)}>Delete</button>
            </li>
          );
        })}
      </ul>
      {question}
    </>
  );
}

function Form({ onDone }: { onDone: () => void }) {
  const endpoints = useQuery(endpointsQuery);
  const [draft, setDraft] = useState(() => {
    const start = new Date();
    return { name: "", endpoint: "", starts: toInput(start), ends: toInput(new Date(start.getTime() + 3_600_000)) };
  });
  const save = useChange((planned: Planned) => api("POST", "/api/maintenance-windows/", planned), "windows", "status");
  const refused = save.error instanceof ApiError ? save.error.fields : {};
  const submit = (event: SyntheticEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const planned = {
      name: draft.name,
      endpoint: draft.endpoint === "" ? null : draft.endpoint,
      starts_at: fromInput(draft.starts),
      ends_at: fromInput(draft.ends),
    };
    save.mutate(planned, { onSuccess: onDone, onError: () => focusFirstProblem(form) });
  };
  return (
    <form className="card padded stack" onSubmit={submit}>
      <div className="fields">
        <Field label="Name" required maxLength={120} placeholder="Database move" value={draft.name} problem={refused.name} onChange={(event) => setDraft({ ...draft, name: event.target.value })} />
        <Select label="Of" value={draft.endpoint} problem={refused.endpoint} onChange={(event) => setDraft({ ...draft, endpoint: event.target.value })}>
          <option value="">All endpoints</option>
          {endpoints.data?.map((endpoint) => <option key={endpoint.id} value={endpoint.id}>{endpoint.name}</option>)}
        </Select>
        <Field label="From" type="datetime-local" required value={draft.starts} problem={refused.starts_at} onChange={(event) => setDraft({ ...draft, starts: event.target.value })} />
        <Field label="Until" type="datetime-local" required value={draft.ends} problem={refused.ends_at} onChange={(event) => setDraft({ ...draft, ends: event.target.value })} />
      </div>
      <Problem error={save.error} />
      <div className="buttons"><button type="submit" className="button primary" disabled={save.isPending}>Plan it</button></div>
    </form>
  );
}
