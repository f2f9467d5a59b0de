import type { RecentCheck } from "../api/types";
import { RecentBars } from "../ui/Bars";
import { DemoButton } from "../ui/enter";
import { useHost, useTitle } from "../ui/hooks";
import { Icon, type IconName } from "../ui/icons";
import { PlanCard } from "../ui/PlanCard";
import { PublicFrame } from "../ui/PublicFrame";

const FEATURES: readonly (readonly [IconName, string, string])[] = [
  ["activity", "Checks that mean something", "Status, text in the body, latency and days left on the certificate: an answer is good when you say it is."],
  ["bell", "Alerts without the noise", "Two failures in a row open an incident, the first good check ends it. One mail or signed webhook each, none during maintenance."],
  ["globe", "A status page of your own", "Every organization has its own address, its own database schema, and a page to show its users."],
];

export function Landing() {
  const { has_demo } = useHost();
  useTitle("");
  return (
    <PublicFrame
      className="landing"
      actions={
        <>
          <a className="button quiet" href="/login">Log in</a>
          <a className="button primary hide-small" href="/signup">Sign up</a>
        </>
      }
    >
      <section className="hero">
        <div>
          <h1>Know before your users do.</h1>
          <p className="lead">StatusWatch checks your sites and APIs every minute, tells the right people, and shows everybody else an honest status page.</p>
          <div className="buttons">
            <a className="button primary" href="/signup">Start for free</a>
            {has_demo ? <DemoButton /> : null}
          </div>
        </div>
        <Preview />
      </section>
      <section className="features" aria-label="What it does">
        {FEATURES.map(([icon, title, text]) => (
          <div className="card" key={title}>
            <span className="art"><Icon name={icon} /></span>
            <h2>{title}</h2>
            <p className="soft">{text}</p>
          </div>
        ))}
      </section>
      <section className="section" aria-label="Plans">
        <h2>Plans</h2>
        <div className="plans">
          <PlanCard plan="free" isCurrent={false}><a className="button" href="/signup">Start for free</a></PlanCard>
          <PlanCard plan="pro" isCurrent={false}><a className="button primary" href="/signup">Start, upgrade later</a></PlanCard>
        </div>
      </section>
    </PublicFrame>
  );
}

/** A picture of a dashboard, drawn by the real parts. */
function Preview() {
  return (
    <div className="card preview" aria-hidden="true">
      <div className="banner up"><span className="dot up alive" />All systems operational</div>
      {["Website", "Checkout API", "Docs"].map((name, row) => (
        <div className="line" key={name}>
          <span><span className="dot up" />{name}</span>
          <RecentBars recent={sample(row)} shown={24} />
          <span>{[84, 131, 46][row]} ms</span>
        </div>
      ))}
    </div>
  );
}

function sample(row: number): RecentCheck[] {
  return Array.from({ length: 24 }, (_, index) => ({
    at: new Date(2026, 0, 1, 0, index).toISOString(),
    is_up: !(row === 1 && index === 9),
    latency_ms: 60 + Math.round(40 * Math.abs(Math.sin(index * (1.7 + row)))),
  }));
}
