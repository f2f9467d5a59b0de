import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect } from "react";
import { Redirect, Route, Switch, useLocation } from "wouter";
import { ApiError, messageOf } from "./api/errors";
import { hostQuery } from "./api/queries";
import { Landing } from "./pages/Landing";
import { Login } from "./pages/Login";
import { NotFound, NobodyHere } from "./pages/NotFound";
import { Resend } from "./pages/Resend";
import { SignUp } from "./pages/SignUp";
import { StatusPage } from "./pages/StatusPage";
import { ErrorBoundary } from "./ui/ErrorBoundary";
import { useIsLoggedIn } from "./ui/hooks";
import { Icon } from "./ui/icons";
import { Shell } from "./ui/Shell";

// What is behind the login comes when somebody logs in; a status page is small.
const Pages = lazy(() => import("./pages/inside"));

/** The public host has sign-up and login for all, an organization's host its status page and what is behind its login. */
export function App() {
  const host = useQuery(hostQuery);
  if (host.isPending) return <Waiting />;
  if (host.isError) {
    if (host.error instanceof ApiError && host.error.status === 404) return <NobodyHere />;
    return <Down message={messageOf(host.error)} onRetry={() => void host.refetch()} />;
  }
  return host.data.kind === "public" ? (
    <Switch>
      <Route path="/" component={Landing} />
      <Route path="/signup" component={SignUp} />
      <Route path="/login" component={Login} />
      <Route path="/resend" component={Resend} />
      <Route component={NotFound} />
    </Switch>
  ) : (
    <Switch>
      <Route path="/" component={StatusPage} />
      <Route path="/login" component={Login} />
      <Route path="/app/*?" component={Inside} />
      <Route component={NotFound} />
    </Switch>
  );
}

function Inside() {
  const isLoggedIn = useIsLoggedIn();
  const [location] = useLocation();
  const client = useQueryClient();
  useEffect(() => {
    // What one person saw is gone before the next one logs in.
    if (!isLoggedIn) client.removeQueries({ predicate: (query) => !["host", "status"].includes(String(query.queryKey[0])) });
  }, [client, isLoggedIn]);
  if (!isLoggedIn) {
    const here = location + window.location.search;
    return <Redirect to={here === "/app" ? "/login" : `/login?next=${encodeURIComponent(here)}`} replace />;
  }
  return (
    <Shell>
      <ErrorBoundary key={location} onReset={() => void client.resetQueries()}>
        <Suspense fallback={<Waiting />}>
          <Pages />
        </Suspense>
      </ErrorBoundary>
    </Shell>
  );
}

function Waiting() {
  return <p className="hidden" role="status">Loading</p>;
}

function Down({ message, onRetry }: { message: string; onRetry: () => void }) {
  return (
    <main className="boundary">
      <div className="empty">
        <span className="art"><Icon name="alert" /></span>
        <h1>StatusWatch does not answer</h1>
        <p>{message}</p>
        <button type="button" className="button primary" onClick={onRetry}>Try again</button>
      </div>
    </main>
  );
}
