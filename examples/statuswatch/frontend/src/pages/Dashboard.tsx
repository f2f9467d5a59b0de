import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { endpointsQuery, openIncidentsQuery, statusQuery, windowsQuery } from "../api/queries";
import type { Endpoint, MaintenanceWindow, StatusEndpoint } from "../api/types";
import { byUrgency, latency, median, phrase, plural, stateOfEndpoint, summarize, type Summary } from "../lib/status";
import { dateTime, relative } from "../lib/time";
import { RecentBars } from "../ui/Bars";
import { useNow } from "../ui/hooks";
import { Icon } from "../ui/icons";
import { Listed } from "../ui/lists";
import { Empty, Heading } from "../ui/parts";

const SEARCH_FROM = 6; // fewer are seen at a glance

export function Dashboard() {
  const endpoints = useQuery(endpointsQuery);
  const status = useQuery(statusQuery);
  return (
    <div className="content">
      <Heading title="Endpoints">
        <Link className="button primary" href="/app/endpoints/new">
          <Icon name="plus" />
          Add endpoint
        </Link>
      </Heading>
      <Listed query={endpoints} what="endpoints" empty={<Nothing />}>
        {(rows) => <Overview endpoints={rows} recent={status.data?.endpoints ?? []} />}
      </Listed>
    </div>
  );
}

function Nothing() {
  return (
    <Empty icon="activity" title="Nothing is watched yet">
      <p>Add the address of a site or an API. It is checked at once, then every few minutes, and you are told when it fails twice in a row.</p>
      <Link className="button primary" href="/app/endpoints/new">Add your first endpoint</Link>
    </Empty>
  );
}

function Overview({ endpoints, recent }: { endpoints: Endpoint[]; recent: StatusEndpoint[] }) {
  const [text, setText] = useState("");
  const wanted = text.trim().toLowerCase();
  const shown = endpoints
    .filter((endpoint) => `${endpoint.name} ${endpoint.url}`.toLowerCase().includes(wanted))
    .sort(byUrgency);
  const byId = new Map(recent.map((found) => [found.id, found]));
  return (
    <>
      <Banner summary={summarize(endpoints.map((endpoint) => stateOfEndpoint(endpoint)))} />
      <Maintenance />
      <Tiles endpoints={endpoints} />
      {endpoints.length < SEARCH_FROM ? null : (
        <div className="search">
          <Icon name="search" />
          <input className="input" type="search" aria-label="Search endpoints" placeholder="Search" value={text} onChange={(event) => setText(event.target.value)} />
        </div>
      )}
      {shown.length === 0 ? <p className="soft">No endpoint matches “{text}”.</p> : null}
      <ul className="card endpoints" aria-label="Endpoints">
        {shown.map((endpoint) => <Row key={endpoint.id} endpoint={endpoint} recent={byId.get(endpoint.id)} />)}
      </ul>
    </>
  );
}

function Banner({ summary }: { summary: Summary }) {
  return (
    <section className={`banner ${summary.state}`} aria-live="polite">
      <span className={`dot ${summary.state} alive`} />
      {summary.headline}
      <span className="more">Looks for news every 30 seconds</span>
    </section>
  );
}

function Maintenance() {
  const now = useNow();
  const { data } = useQuery(windowsQuery);
  const active = (data ?? []).filter((found: MaintenanceWindow) => new Date(found.starts_at) <= now && now < new Date(found.ends_at));
  return active.map((found) => (
    <div className="note" key={found.id}>
      <Icon name="wrench" />
      <div><b>{found.name}</b>: failures are expected until {dateTime(found.ends_at)}.</div>
    </div>
  ));
}

function Tiles({ endpoints }: { endpoints: Endpoint[] }) {
  const incidents = useQuery(openIncidentsQuery);
  const states = endpoints.map((endpoint) => stateOfEndpoint(endpoint));
  const down = states.filter((state) => state === "down").length;
  const typical = median(endpoints.flatMap((endpoint) => (stateOfEndpoint(endpoint) === "up" ? endpoint.last_latency_ms ?? [] : [])));
  return (
    <dl className="tiles">
      <div className="card tile"><dt>Up</dt><dd>{states.filter((state) => state === "up").length} <small>of {states.filter((state) => state !== "paused").length}</small></dd></div>
      <div className="card tile"><dt>Down</dt><dd className={down > 0 ? "bad" : ""}>{down}</dd></div>
      <div className="card tile"><dt>Open incidents</dt><dd>{incidents.data?.count ?? "–"}</dd></div>
      <div className="card tile"><dt>Typical latency</dt><dd>{latency(typical)}</dd></div>
    </dl>
  );
}

function Row({ endpoint, recent }: { endpoint: Endpoint; recent: StatusEndpoint | undefined }) {
  const now = useNow();
  const state = stateOfEndpoint(endpoint);
  const every = `every ${endpoint.interval_minutes} ${plural(endpoint.interval_minutes, "minute")}`;
  return (
    <li>
      <div className="name">
        <span className={`dot ${state}`} />
        <div>
          <Link href={`/app/endpoints/${endpoint.id}`}>{endpoint.name}</Link>
          <span className="line soft small">{endpoint.url.replace(/^https?:\/\//, "")}</span>
        </div>
      </div>
      <div className="strip"><RecentBars recent={recent?.recent ?? []} /></div>
      <div className="figure">
        <b>{state === "up" ? latency(endpoint.last_latency_ms) : state === "paused" ? "Paused" : phrase(endpoint.last_status)}</b>
        <span className="soft small">{endpoint.paused_by === "plan" ? "no room in the plan" : endpoint.last_checked_at === null ? every : relative(endpoint.last_checked_at, now)}</span>
      </div>
      <div className="figure uptime">
        <b>{recent === undefined || recent.uptime === "-" ? "–" : recent.uptime}</b>
        <span className="soft small">up</span>
      </div>
    </li>
  );
}
