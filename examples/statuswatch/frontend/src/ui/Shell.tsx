import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { session } from "../api/client";
import { meQuery, openIncidentsQuery } from "../api/queries";
import { useHost } from "./hooks";
import { Icon, type IconName } from "./icons";
import { Brand } from "./parts";
import { ThemeSwitch } from "./ThemeSwitch";

const PAGES: readonly (readonly [path: string, icon: IconName, name: string])[] = [
  ["/app", "activity", "Endpoints"],
  ["/app/incidents", "alert", "Incidents"],
  ["/app/maintenance", "wrench", "Maintenance"],
  ["/app/alerts", "bell", "Alerts"],
  ["/app/keys", "key", "API keys"],
  ["/app/plan", "wallet", "Plan"],
];

/** What surrounds every page of an organization. */
export function Shell({ children }: { children: ReactNode }) {
  const [location] = useLocation();
  const [openedAt, setOpenedAt] = useState<string | null>(null);
  const isOpen = openedAt === location; // another page closes the menu
  return (
    <div className="shell">
      <a className="skip" href="#main">Skip to the content</a>
      <header className="top">
        <Brand href="/app" />
        <button
          type="button"
          className="button quiet"
          aria-expanded={isOpen}
          aria-controls="menu"
          onClick={() => setOpenedAt(isOpen ? null : location)}
        >
          <Icon name={isOpen ? "close" : "menu"} />
          <span className="hidden">Menu</span>
        </button>
      </header>
      <nav className={isOpen ? "side open" : "side"} id="menu" aria-label="Main">
        <Brand href="/app" />
        <Who />
        <Menu location={location} />
        <Foot />
      </nav>
      <main id="main" tabIndex={-1}>{children}</main>
    </div>
  );
}

function Who() {
  const { organization } = useHost();
  const me = useQuery(meQuery);
  return (
    <div className="who">
      <b>{organization}</b>
      <span className="soft small">{me.data?.user.email ?? " "}</span>
    </div>
  );
}

function Menu({ location }: { location: string }) {
  const incidents = useQuery(openIncidentsQuery);
  const count = incidents.data?.count ?? 0;
  return (
    <div className="menu">
      {PAGES.map(([path, icon, name]) => {
        const isHere = path === "/app" ? location === "/app" || location.startsWith("/app/endpoints") : location.startsWith(path);
        return (
          <Link key={path} href={path} aria-current={isHere ? "page" : undefined}>
            <Icon name={icon} />
            {name}
            {path === "/app/incidents" && count > 0 ? (
              <span className="count"><span className="hidden">, open: </span>{count}</span>
            ) : null}
          </Link>
        );
      })}
      <a href="/" target="_blank" rel="noreferrer">
        <Icon name="globe" />
        Status page
        <span className="hidden"> (new tab)</span>
      </a>
    </div>
  );
}

function Foot() {
  const { version } = useHost();
  return (
    <div className="foot">
      <div className="row">
        <ThemeSwitch />
        <button type="button" className="button quiet small" onClick={() => void session.end()}>
          <Icon name="logout" />
          Log out
        </button>
      </div>
      <p className="soft small">Release {version}</p>
    </div>
  );
}
