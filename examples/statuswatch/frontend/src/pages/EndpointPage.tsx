import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { api } from "../api/client";
import { ApiError } from "../api/errors";
import { endpointQuery, historyQuery, incidentsQuery, useChange } from "../api/queries";
import type { Endpoint, History, Period } from "../api/types";
import { slotsOf } from "../lib/chart";
import { latency, percent, phrase, plural, stateOfEndpoint } from "../lib/status";
import { between, date, duration, relative } from "../lib/time";
import { UptimeBars } from "../ui/Bars";
import { Confirm } from "../ui/Confirm";
import { useNow } from "../ui/hooks";
import { Icon } from "../ui/icons";
import { LatencyChart } from "../ui/LatencyChart";
import { Failed, Heading, Loading, Problem, Segments, StatePill } from "../ui/parts";
import { Back } from "./EndpointForm";
import { IncidentList } from "./Incidents";

const PERIODS = ["24h", "7d", "30d"] as const;

export function EndpointPage({ id }: { id: string }) {
  const endpoint = useQuery(endpointQuery(id));
  const isGone = endpoint.error instanceof ApiError && endpoint.error.status === 404;
  return (
    <div className="content">
      <Back href="/app">Endpoints</Back>
      {endpoint.isPending ? <Loading what="Loading the endpoint" /> : null}
      {isGone ? <Heading title="There is no such endpoint" /> : null}
      {endpoint.isError && !isGone ? <Failed error={endpoint.error} onRetry={endpoint.refetch} /> : null}
      {endpoint.data === undefined || isGone ? null : <Details endpoint={endpoint.data} />}
    </div>
  );
}

function Details({ endpoint }: { endpoint: Endpoint }) {
  const [period, setPeriod] = useState<Period>("24h");
  const [isAsking, setIsAsking] = useState(false);
  const history = useQuery(historyQuery(endpoint.id, period));
  const state = stateOfEndpoint(endpoint);
  const pause = useChange((is_paused: boolean) => api("PATCH", `/api/endpoints/${endpoint.id}/`, { is_paused }), "endpoints", "status", "billing");
  const now = useNow();
  return (
    <>
      <Heading title={endpoint.name}>
        <Link className="button" href={`/app/endpoints/${endpoint.id}/edit`}>Edit</Link>
        <button type="button" className="button" disabled={pause.isPending} onClick={() => pause.mutate(!endpoint.is_paused)}>
          {endpoint.is_paused ? "Go on" : "Pause"}
        </button>
        <button type="button" className="button danger" onClick={() => setIsAsking(true)}>Delete</button>
      </Heading>
      <div className="buttons">
        <StatePill state={state} />
        <a href={endpoint.url} target="_blank" rel="noreferrer noopener">{endpoint.url}</a>
        <span className="soft small">
          {endpoint.last_checked_at === null ? "checked in a moment" : `${phrase(endpoint.last_status)}, ${relative(endpoint.last_checked_at, now)}`}
        </span>
      </div>
      <Problem error={pause.error} />
      {endpoint.paused_by === "plan" ? (
        <div className="note">
          <Icon name="wallet" />
          <div>Your plan has no room to check this one. Pause another endpoint, or <Link href="/app/plan">see the plans</Link>.</div>
        </div>
      ) : null}
      <Figures endpoint={endpoint} history={history.data} />
      <section className="card padded stack" aria-label="Latency">
        <div className="between">
          <h2>Latency</h2>
          <Segments label="Period" options={PERIODS} chosen={period} onChoose={setPeriod} />
        </div>
        {history.isPending ? <Loading rows={4} what="Loading the history" /> : null}
        {history.isError ? <Failed error={history.error} onRetry={history.refetch} /> : null}
        {history.data === undefined ? null : <Charts history={history.data} />}
      </section>
      <Conditions endpoint={endpoint} />
      <EndpointIncidents id={endpoint.id} />
      {isAsking ? <Delete endpoint={endpoint} onClose={() => setIsAsking(false)} /> : null}
    </>
  );
}

function Figures({ endpoint, history }: { endpoint: Endpoint; history: History | undefined }) {
  const now = useNow();
  const expires = endpoint.certificate_expires_at;
  return (
    <dl className="tiles">
      <div className="card tile"><dt>Latency now</dt><dd>{latency(endpoint.last_latency_ms)}</dd></div>
      {PERIODS.map((period) => (
        <div className="card tile" key={period}><dt>Uptime {period}</dt><dd>{percent(history?.uptime[period] ?? null)}</dd></div>
      ))}
      {expires === null ? null : (
        <div className="card tile"><dt>Certificate</dt><dd title={`until ${date(expires)}`}>{duration(between(now.toISOString(), expires)).split(" ", 2).join(" ")} <small>left</small></dd></div>
      )}
    </dl>
  );
}

function Charts({ history }: { history: History }) {
  const now = useNow(30_000);
  const slots = slotsOf(history.buckets, history.period, now);
  return (
    <>
      <LatencyChart slots={slots} deploys={history.deploys} period={history.period} />
      <div className="legend-line">
        <span className="chart"><svg viewBox="0 0 20 10" aria-hidden="true"><path className="mean" d="M0 5h20" /></svg></span>
        <span>mean</span>
        <span className="chart"><svg viewBox="0 0 20 10" aria-hidden="true"><path className="p95" d="M0 5h20" /></svg></span>
        <span>95th percentile</span>
        <span className="chart"><svg viewBox="0 0 20 10" aria-hidden="true"><rect className="fault" width="20" height="10" rx="2" /></svg></span>
        <span>failures</span>
        {history.deploys.length === 0 ? null : (
          <>
            <span className="chart"><svg viewBox="0 0 20 10" aria-hidden="true"><path className="mark-flag" d="M4 0h9l-3 4 3 4h-9Z" /></svg></span>
            <span>deploys</span>
          </>
        )}
      </div>
      <h3>Uptime</h3>
      <UptimeBars slots={slots} />
    </>
  );
}

function Conditions({ endpoint }: { endpoint: Endpoint }) {
  const told = [
    endpoint.expected_status === "" ? "Status below 400" : `Status ${endpoint.expected_status}`,
    endpoint.body_contains === "" ? null : `Body contains “${endpoint.body_contains}”`,
    endpoint.max_latency_ms === null ? null : `Latency at most ${latency(endpoint.max_latency_ms)}`,
    endpoint.min_certificate_days === null
      ? null
      : `Certificate valid for ${endpoint.min_certificate_days} ${plural(endpoint.min_certificate_days, "day")}`,
  ].filter((text) => text !== null);
  return (
    <section className="card padded stack">
      <h2>A good answer</h2>
      <p className="soft small">Checked every {endpoint.interval_minutes} {plural(endpoint.interval_minutes, "minute")}; two failures in a row open an incident.</p>
      <ul className="ticks">{told.map((text) => <li key={text}><Icon name="check" />{text}</li>)}</ul>
    </section>
  );
}

function EndpointIncidents({ id }: { id: string }) {
  const incidents = useQuery(incidentsQuery);
  const own = (incidents.data?.results ?? []).filter((incident) => incident.endpoint === id);
  return (
    <section className="stack">
      <h2>Incidents</h2>
      {incidents.isError ? <Failed error={incidents.error} onRetry={incidents.refetch} /> : null}
      {incidents.data !== undefined && own.length === 0 ? <p className="soft">None so far.</p> : null}
      {own.length === 0 ? null : <IncidentList incidents={own} />}
    </section>
  );
}

function Delete({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const [, navigate] = useLocation();
  const client = useQueryClient();
  const remove = useChange(() => api("DELETE", `/api/endpoints/${endpoint.id}/`), "status", "incidents");
  const leave = (): void => {
    navigate("/app");
    client.removeQueries({ queryKey: ["endpoints"] }); // not asked again: this one is gone
  };
  return (
    <Confirm
      title={`Delete ${endpoint.name}?`}
      action="Delete it"
      isBusy={remove.isPending}
      error={remove.error}
      onClose={onClose}
      onConfirm={() => remove.mutate(undefined, { onSuccess: leave })}
    >
      Its history and its incidents go with it.
    </Confirm>
  );
}
