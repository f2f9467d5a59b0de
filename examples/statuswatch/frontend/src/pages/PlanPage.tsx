import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { useSearch } from "wouter";
import { api } from "../api/client";
import { billingQuery, useChange } from "../api/queries";
import type { Billing } from "../api/types";
import { plural } from "../lib/status";
import { date } from "../lib/time";
import { Icon } from "../ui/icons";
import { Failed, Heading, Loading, Problem } from "../ui/parts";
import { PlanCard } from "../ui/PlanCard";

const HERE = "/app/plan"; // where the payment provider leads back to

export function PlanPage() {
  const billing = useQuery(billingQuery);
  const outcome = new URLSearchParams(useSearch()).get("checkout");
  return (
    <div className="content">
      <Heading title="Plan" />
      {outcome === "success" ? <Returned /> : null}
      {outcome === "cancelled" ? <Note icon="alert">The checkout was left; nothing was charged.</Note> : null}
      {billing.isPending ? <Loading rows={2} what="Loading your plan" /> : null}
      {billing.isError ? <Failed error={billing.error} onRetry={billing.refetch} /> : null}
      {billing.data === undefined ? null : <Chosen billing={billing.data} />}
    </div>
  );
}

/** Back from the payment: its event may be a moment behind the person. */
function Returned() {
  const client = useQueryClient();
  const { mutate, isSuccess, error } = useMutation({
    mutationFn: () => api<Billing>("POST", "/api/billing/sync/"),
    onSuccess: (told) => client.setQueryData(billingQuery.queryKey, told),
  });
  useEffect(() => mutate(), [mutate]);
  if (error !== null) return <Problem error={error} />;
  return <Note icon="check">{isSuccess ? "Thank you! Your payment is confirmed." : "Thank you! We are confirming your payment …"}</Note>;
}

function Chosen({ billing }: { billing: Billing }) {
  const upgrade = useLeaving("/api/billing/create-checkout-session/");
  const manage = useLeaving("/api/billing/create-portal-session/");
  const end = useChange(() => api("POST", "/api/billing/cancel/"), "billing");
  const resume = useChange(() => api("POST", "/api/billing/resume/"), "billing");
  const isPro = billing.plan === "pro";
  const isBusy = [upgrade, manage, end, resume].some((change) => change.isPending);
  const { can_manage, cancel_at_period_end, current_period_end } = billing;
  return (
    <>
      {billing.is_past_due ? (
        <Note icon="alert">Your last payment failed. We try again for some days; until then Pro goes on. Please check your card.</Note>
      ) : null}
      {isPro && cancel_at_period_end && current_period_end !== null ? (
        <Note icon="alert">Pro ends on {date(current_period_end)}.</Note>
      ) : null}
      {billing.endpoints_over_limit > 0 ? (
        <Note icon="alert">
          {billing.endpoints_over_limit} {plural(billing.endpoints_over_limit, "endpoint")} more than your plan has: kept, but not checked.
        </Note>
      ) : null}
      <Used billing={billing} />
      <div className="plans">
        <PlanCard plan="free" isCurrent={!isPro} />
        <PlanCard plan="pro" isCurrent={isPro}>
          {!can_manage ? null : isPro ? (
            <div className="buttons">
              <button type="button" className="button" disabled={isBusy} onClick={() => manage.mutate()}>
                Card and invoices
                <Icon name="external" />
              </button>
              {cancel_at_period_end ? (
                <button type="button" className="button" disabled={isBusy} onClick={() => resume.mutate(undefined)}>Keep Pro</button>
              ) : (
                <button type="button" className="button quiet" disabled={isBusy} onClick={() => end.mutate(undefined)}>End Pro</button>
              )}
            </div>
          ) : (
            <button type="button" className="button primary" disabled={isBusy} onClick={() => upgrade.mutate()}>
              {upgrade.isPending ? "Opening the checkout …" : "Upgrade to Pro"}
            </button>
          )}
        </PlanCard>
      </div>
      <Problem error={upgrade.error ?? manage.error ?? end.error ?? resume.error} />
      <p className="soft small">
        {can_manage ? "You pay at Stripe; card numbers never reach this server." : "Owners of the organization buy and end plans."}
      </p>
    </>
  );
}

/** To the payment provider's page, which is not ours. */
function useLeaving(path: string) {
  return useMutation({
    mutationFn: () => api<{ url: string }>("POST", path, { return_path: HERE }),
    onSuccess: ({ url }) => {
      if (!/^https?:\/\//.test(url)) throw new Error("the payment provider gave no address");
      window.location.assign(url);
    },
  });
}

function Used({ billing }: { billing: Billing }) {
  const { endpoint_count: count, endpoint_limit: limit } = billing;
  const share = limit === null ? 0 : Math.min(1, count / limit);
  return (
    <section className="card padded stack" aria-label="Use">
      <div className="between">
        <h2>Endpoints</h2>
        <span className="numbers">{limit === null ? `${count}, as many as you like` : `${count} of ${limit}`}</span>
      </div>
      {limit === null ? null : (
        <div className={share === 1 ? "meter full" : "meter"}>
          <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width={share * 100} height="8" /></svg>
        </div>
      )}
    </section>
  );
}

function Note({ icon, children }: { icon: "check" | "alert"; children: React.ReactNode }) {
  return (
    <div className={icon === "check" ? "note info" : "note"} role="status">
      <Icon name={icon} />
      <div>{children}</div>
    </div>
  );
}
