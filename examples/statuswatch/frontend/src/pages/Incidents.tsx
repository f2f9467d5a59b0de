import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { incidentsQuery } from "../api/queries";
import type { Incident } from "../api/types";
import { phrase } from "../lib/status";
import { between, dateTime, duration } from "../lib/time";
import { useNow } from "../ui/hooks";
import { Empty, Failed, Heading, Loading, Segments } from "../ui/parts";

const SHOWN = ["All", "Open"] as const;

export function Incidents() {
  const incidents = useQuery(incidentsQuery);
  const [shown, setShown] = useState<(typeof SHOWN)[number]>("All");
  const all = incidents.data?.results ?? [];
  const wanted = shown === "All" ? all : all.filter((incident) => incident.resolved_at === null);
  return (
    <div className="content">
      <Heading title="Incidents">
        {all.length === 0 ? null : <Segments label="Which" options={SHOWN} chosen={shown} onChoose={setShown} />}
      </Heading>
      {incidents.isPending ? <Loading what="Loading incidents" /> : null}
      {incidents.isError ? <Failed error={incidents.error} onRetry={incidents.refetch} /> : null}
      {incidents.data !== undefined && wanted.length === 0 ? (
        <Empty icon="check" title={shown === "Open" ? "Nothing is down" : "No incidents so far"}>
          <p>Two failed checks in a row open one, the first good check ends it.</p>
        </Empty>
      ) : null}
      {wanted.length === 0 ? null : <IncidentList incidents={wanted} />}
      {(incidents.data?.count ?? 0) > all.length ? <p className="soft small">The newest {all.length} of {incidents.data?.count} are shown.</p> : null}
    </div>
  );
}

export function IncidentList({ incidents }: { incidents: readonly Incident[] }) {
  const now = useNow();
  return (
    <ul className="card rows">
      {incidents.map((incident) => {
        const isOpen = incident.resolved_at === null;
        return (
          <li key={incident.id}>
            <span className={isOpen ? "stripe down" : "stripe up"} />
            <div className="grow">
              <b><Link href={`/app/endpoints/${incident.endpoint}`}>{incident.endpoint_name}</Link></b>
              <p className="soft small">{phrase(incident.cause)}, since {dateTime(incident.started_at)}</p>
            </div>
            <span className={isOpen ? "pill down" : "pill"}>
              {isOpen ? "Going on for " : "Over after "}
              {duration(between(incident.started_at, incident.resolved_at ?? now))}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
