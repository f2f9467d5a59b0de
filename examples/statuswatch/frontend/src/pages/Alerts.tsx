import { useQuery } from "@tanstack/react-query";
import { useState, type SyntheticEvent } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/errors";
import { alertsQuery, channelsQuery, useChange } from "../api/queries";
import type { Alert, AlertChannel, ChannelKind } from "../api/types";
import { relative } from "../lib/time";
import { Field, focusFirstProblem, Select } from "../ui/Field";
import { useNow } from "../ui/hooks";
import { AddButton, Listed } from "../ui/lists";
import { Empty, Heading, Problem } from "../ui/parts";

interface NewChannel {
  kind: ChannelKind;
  target: string;
  secret: string;
}

const EVENTS: Readonly<Record<Alert["event"], string>> = { down: "Down", recovered: "Recovered", test: "Test" };
const STATES: Readonly<Record<Alert["state"], string>> = { pending: "On its way", sent: "Sent", failed: "Given up" };
const SHOWN = 15;

export function Alerts() {
  const channels = useQuery(channelsQuery);
  const [isAdding, setIsAdding] = useState(false);
  return (
    <div className="content">
      <Heading title="Alerts"><AddButton isAdding={isAdding} onToggle={setIsAdding}>Add channel</AddButton></Heading>
      {isAdding ? <Form onDone={() => setIsAdding(false)} /> : null}
      <Listed query={channels} what="channels" empty={isAdding ? null : <Nobody />}>
        {(rows) => (
          <ul className="card rows" aria-label="Channels">
            {rows.map((channel) => <Channel key={channel.id} channel={channel} />)}
          </ul>
        )}
      </Listed>
      <Sent channels={channels.data ?? []} />
    </div>
  );
}

function Nobody() {
  return <Empty icon="bell" title="Nobody is told yet"><p>Add an e-mail address or a webhook. It is told once when an incident opens, and once when it is over.</p></Empty>;
}

function Channel({ channel }: { channel: AlertChannel }) {
  const path = `/api/alert-channels/${channel.id}/`;
  const enable = useChange((is_enabled: boolean) => api("PATCH", path, { is_enabled }), "channels");
  const test = useChange(() => api("POST", `${path}test/`), "alerts");
  const remove = useChange(() => api("DELETE", path), "channels", "alerts");
  return (
    <li>
      <div className="grow">
        <b>{channel.target}</b>
        <p className="soft small">{channel.kind === "email" ? "E-mail" : "Webhook"}</p>
        <Problem error={enable.error ?? test.error ?? remove.error} />
      </div>
      <label className="switch">
        <input type="checkbox" role="switch" checked={channel.is_enabled} disabled={enable.isPending} onChange={(event) => enable.mutate(event.target.checked)} />
        On
        <span className="hidden"> for {channel.target}</span>
      </label>
      <button type="button" className="button small" disabled={test.isPending} onClick={() => test.mutate(undefined)}>{test.isSuccess ? "Test sent" : "Send a test"}</button>
      <button type="button" className="button quiet small" aria-label={`Delete ${channel.target}`} disabled={remove.isPending} onClick={() => remove.mutate(undefined)}>Delete</button>
    </li>
  );
}

function Form({ onDone }: { onDone: () => void }) {
  const [draft, setDraft] = useState<NewChannel>({ kind: "email", target: "", secret: "" });
  const save = useChange((given: NewChannel) => api("POST", "/api/alert-channels/", given), "channels");
  const refused = save.error instanceof ApiError ? save.error.fields : {};
  const isEmail = draft.kind === "email";
  const submit = (event: SyntheticEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    save.mutate(isEmail ? { ...draft, secret: "" } : draft, { onSuccess: onDone, onError: () => focusFirstProblem(form) });
  };
  return (
    <form className="card padded stack" onSubmit={submit}>
      <div className="fields">
        <Select label="Kind" value={draft.kind} onChange={(event) => setDraft({ ...draft, kind: event.target.value === "webhook" ? "webhook" : "email" })}>
          <option value="email">E-mail</option>
          <option value="webhook">Webhook</option>
        </Select>
        <Field
          label={isEmail ? "Address" : "URL"}
          type={isEmail ? "email" : "url"}
          required
          maxLength={500}
          value={draft.target}
          problem={refused.target}
          onChange={(event) => setDraft({ ...draft, target: event.target.value })}
        />
        {isEmail ? null : (
          <Field label="Secret" autoComplete="off" maxLength={100} value={draft.secret} problem={refused.secret} hint="Signs the body: X-StatusWatch-Signature." onChange={(event) => setDraft({ ...draft, secret: event.target.value })} />
        )}
      </div>
      <Problem error={save.error} />
      <div className="buttons"><button type="submit" className="button primary" disabled={save.isPending}>Add it</button></div>
    </form>
  );
}

function Sent({ channels }: { channels: readonly AlertChannel[] }) {
  const now = useNow();
  const alerts = useQuery(alertsQuery);
  const newest = alerts.data?.results.slice(0, SHOWN) ?? [];
  if (newest.length === 0) return null;
  return (
    <section className="stack">
      <h2>What was sent</h2>
      <ul className="card rows">
        {newest.map((alert) => (
          <li key={alert.id}>
            <span className={`stripe ${{ down: "down", recovered: "up", test: "" }[alert.event]}`} />
            <div className="grow">
              <b>{EVENTS[alert.event]}</b>
              <p className="soft small">to {channels.find((channel) => channel.id === alert.channel)?.target ?? "a channel"}, {relative(alert.created_at, now)}</p>
              {alert.last_error === "" || alert.state === "sent" ? null : (
                <p className="soft small">{alert.last_error}, {alert.attempts} {alert.attempts === 1 ? "try" : "tries"}</p>
              )}
            </div>
            <span className={`pill ${{ pending: "", sent: "up", failed: "down" }[alert.state]}`}>{STATES[alert.state]}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
