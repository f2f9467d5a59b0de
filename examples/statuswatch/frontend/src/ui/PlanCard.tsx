import type { ReactNode } from "react";
import { Icon } from "./icons";

const PLANS = {
  free: { name: "Free", price: "$0", goods: ["3 endpoints", "Checks every minute", "Alerts by mail and webhook", "A public status page"] },
  pro: { name: "Pro", price: "$9", goods: ["As many endpoints as you like", "Checks every minute", "Alerts by mail and webhook", "A public status page"] },
} as const;

export function PlanCard({ plan, isCurrent, children }: { plan: "free" | "pro"; isCurrent: boolean; children?: ReactNode }) {
  const { name, price, goods } = PLANS[plan];
  return (
    <section className={plan === "pro" ? "card plan best" : "card plan"} aria-label={name}>
      <div className="between">
        <h3>{name}</h3>
        {isCurrent ? <span className="pill brand">Your plan</span> : null}
      </div>
      <p className="price">{price} <small>a month</small></p>
      <ul className="ticks">{goods.map((good) => <li key={good}><Icon name="check" />{good}</li>)}</ul>
      {children}
    </section>
  );
}
