import { useMutation, useQuery } from "@tanstack/react-query";
import { useSearch } from "wouter";
import { api } from "../api/client";
import { ApiError } from "../api/errors";
import { endpointsQuery, meQuery } from "../api/queries";
import type { Plan } from "../api/types";
import { Icon } from "../ui/icons";
import { Failed, Heading, Loading, Problem } from "../ui/parts";
import { FREE_ENDPOINTS, PlanCard } from "../ui/PlanCard";

interface Leaving {
  url: string;
}

export function PlanPage() {
  const me = useQuery(meQuery);
  const outcome = new URLSearchParams(useSearch()).get("checkout");
  return (
    <div className="content">
      <Heading title="Plan" />
      {outcome === "success" ? (
        <div className="note info" role="status">
          <Icon name="check" />
          <div>Thank you. Your plan changes as soon as the payment is confirmed, mostly within seconds.</div>
        </div>
      ) : null}
      {outcome === "cancel" ? (
        <div className="note" role="status"><Icon name="alert" /><div>The checkout was left; nothing was charged.</div></div>
      ) : null}
      {me.isPending ? <Loading rows={2} what="Loading your plan" /> : null}
      {me.isError ? <Failed error={me.error} onRetry={me.refetch} /> : null}
      {me.data === undefined ? null : <Chosen plan={me.data.plan} />}
    </div>
  );
}

function Chosen({ plan }: { plan: Plan }) {
  const endpoints = useQuery(endpointsQuery);
  const upgrade = useLeaving("/api/billing/create-checkout-session/");
  const manage = useLeaving("/api/billing/create-portal-session/");
  const isPro = plan === "pro";
  return (
    <>
      {isPro || endpoints.data === undefined ? null : <Used count={endpoints.data.length} />}
      <div className="plans">
        <PlanCard plan="free" isCurrent={!isPro} />
        <PlanCard plan="pro" isCurrent={isPro}>
          {isPro ? (
            <button type="button" className="button" disabled={manage.isPending} onClick={() => manage.mutate()}>
              Manage or cancel
              <Icon name="external" />
            </button>
          ) : (
            <button type="button" className="button primary" disabled={upgrade.isPending} onClick={() => upgrade.mutate()}>
              {upgrade.isPending ? "Opening the checkout …" : "Upgrade to Pro"}
            </button>
          )}
        </PlanCard>
      </div>
      <Billing error={upgrade.error ?? manage.error} />
      <p className="soft small">Payments are made at Stripe; card numbers never reach this server.</p>
    </>
  );
}

/** The payment provider's page, which is not ours. */
function useLeaving(path: string) {
  return useMutation({
    mutationFn: () => api<Leaving>("POST", path),
    onSuccess: ({ url }) => {
      if (!/^https?:\/\//.test(url)) throw new Error("the payment provider gave no address");
      window.location.assign(url);
    },
  });
}

function Billing({ error }: { error: unknown }) {
  if (error instanceof ApiError && error.status === 404) {
    return <Problem error={new ApiError(404, "Payments are not set up on this server.")} />;
  }
  return <Problem error={error} />;
}

function Used({ count }: { count: number }) {
  const share = Math.min(1, count / FREE_ENDPOINTS);
  return (
    <section className="card padded stack" aria-label="Use">
      <div className="between"><h2>Endpoints</h2><span className="numbers">{count} of {FREE_ENDPOINTS}</span></div>
      <div className={share === 1 ? "meter full" : "meter"}>
        <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width={share * 100} height="8" /></svg>
      </div>
    </section>
  );
}
