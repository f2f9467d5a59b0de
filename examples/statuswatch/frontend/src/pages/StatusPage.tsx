import { useQuery } from "@tanstack/react-query";
import { statusQuery } from "../api/queries";
import type { Status, StatusEndpoint, StatusIncident } from "../api/types";
import { latency, phrase, STATE_NAMES, summarize } from "../lib/status";
import { between, dateTime, duration } from "../lib/time";
import { RecentBars } from "../ui/Bars";
import { useHost, useIsLoggedIn, useNow, useTitle } from "../ui/hooks";
import { Icon } from "../ui/icons";
import { Failed, Loading } from "../ui/parts";
import { PublicFrame } from "../ui/PublicFrame";

/** What an organization's own users see, without a login. */
export function StatusPage() {
  const { organization } = useHost();
  const status = useQuery(statusQuery);
  const isLoggedIn = useIsLoggedIn();
  useTitle(`${organization} status`);
  return (
    <PublicFrame actions={<a className="button quiet" href={isLoggedIn ? "/app" : "/login"}>{isLoggedIn ? "Dashboard" : "Log in"}</a>}>
      <div className="status">
        <header>
          <h1>{organization}</h1>
          <p className="soft">Status of what we run, checked every few minutes</p>
        </header>
        {status.isPending ? <Loading what="Loading the status" /> : null}
        {status.isError ? <Failed error={status.error} onRetry={status.refetch} /> : null}
        {status.data === undefined ? null : <Told status={status.data} updatedAt={new Date(status.dataUpdatedAt)} />}
      </div>
    </PublicFrame>
  );
}

function Told({ status, updatedAt }: { status: Status; updatedAt: Date }) {
  const summary = summarize(status.endpoints.map((endpoint) => endpoint.state));
  return (
    <>
      <section className={`banner ${summary.state}`} aria-live="polite">
        <span className={`dot ${summary.state} alive`} />
        {summary.headline}
        <time className="more numbers" dateTime={updatedAt.toISOString()}>as of {updatedAt.toLocaleTimeString("en-GB")}</time>
      </section>
      {status.maintenance.map((window) => (
        <div className="note" key={window.name + window.starts_at}>
          <Icon name="wrench" />
          <div><b>Maintenance: {window.name}</b>, until {dateTime(window.ends_at)}</div>
        </div>
      ))}
      {status.endpoints.length === 0 ? null : (
        <ul className="card endpoints public" aria-label="Endpoints">
          {status.endpoints.map((endpoint) => <Row key={endpoint.id} endpoint={endpoint} />)}
        </ul>
      )}
      <section className="stack">
        <h2>Incidents</h2>
        {status.incidents.length === 0 ? (
          <p className="soft">None so far.</p>
        ) : (
          <ul className="card rows">
            {status.incidents.map((incident) => <IncidentRow key={incident.endpoint + incident.started_at} incident={incident} />)}
          </ul>
        )}
      </section>
    </>
  );
}

function Row({ endpoint }: { endpoint: StatusEndpoint }) {
  return (
    <li>
      <div className="name">
        <span className={`dot ${endpoint.state}`} />
        <div>
          <b className="line">{endpoint.name}</b>
          <span className="line soft small">{STATE_NAMES[endpoint.state]}{endpoint.latency_ms === null ? "" : `, ${latency(endpoint.latency_ms)}`}</span>
        </div>
      </div>
      <div className="strip"><RecentBars recent={endpoint.recent} /></div>
      <div className="figure">
        <b>{endpoint.uptime === "-" ? "–" : endpoint.uptime}</b>
        <span className="soft small">up</span>
      </div>
    </li>
  );
}

function IncidentRow({ incident }: { incident: StatusIncident }) {
  const now = useNow();
  const isOpen = incident.resolved_at === null;
  return (
    <li>
      <span className={isOpen ? "stripe down" : "stripe up"} />
      <div className="grow">
        <b>{incident.endpoint}</b>
        <p className="soft small">{phrase(incident.cause)}, since {dateTime(incident.started_at)}</p>
      </div>
      <span className={isOpen ? "pill down" : "pill"}>
        {isOpen ? "Going on for " : "Over after "}
        {duration(between(incident.started_at, incident.resolved_at ?? now))}
      </span>
    </li>
  );
}
