import { useMutation } from "@tanstack/react-query";
import { useEffect, useState, type SyntheticEvent } from "react";
import { useLocation } from "wouter";
import { open, session } from "../api/client";
import { ApiError } from "../api/errors";
import type { LoggedIn, Tenant, TenantChoice } from "../api/types";
import { handedOver, urlOf } from "../lib/hosts";
import { DemoButton, useEnter } from "../ui/enter";
import { Field } from "../ui/Field";
import { useHost, useTitle } from "../ui/hooks";
import { Icon } from "../ui/icons";
import { Problem } from "../ui/parts";
import { Gate } from "../ui/PublicFrame";

interface Credentials {
  username: string;
  password: string;
  tenant_schema?: string;
}

/** One login for all organizations on the public host, and an organization's own on its host. */
export function Login() {
  const host = useHost();
  const isPublic = host.kind === "public";
  const isArriving = useArrival(host.public_host);
  const [credentials, setCredentials] = useState<Credentials>({ username: "", password: "" });
  const [tenants, setTenants] = useState<Tenant[] | null>(null);
  const enter = useEnter(isPublic);
  const login = useMutation({
    mutationFn: (given: Credentials) => open<LoggedIn | TenantChoice>("POST", "/api/auth/login/", given),
    onSuccess: (answer) => ("multiple_tenants" in answer ? setTenants(answer.tenants) : enter(answer)),
  });
  useTitle("Log in");
  if (isArriving) return <Gate><p role="status">Logging you in …</p></Gate>;

  const isUnverified = login.error instanceof ApiError && login.error.code === "email_unverified";
  if (tenants !== null) {
    return (
      <Gate>
        <header>
          <h1>Which organization?</h1>
          <p className="soft">{credentials.username} is in several.</p>
        </header>
        <ul className="choices">
          {tenants.map((tenant) => (
            <li key={tenant.tenant_schema}>
              <button
                type="button"
                className="button wide"
                disabled={login.isPending}
                onClick={() => login.mutate({ ...credentials, tenant_schema: tenant.tenant_schema })}
              >
                {tenant.tenant_name}
                <small>{tenant.tenant_domain}</small>
              </button>
            </li>
          ))}
        </ul>
        {isUnverified ? <Unverified publicHost={host.public_host} /> : <Problem error={login.error} />}
        <button type="button" className="button quiet" onClick={() => setTenants(null)}>Back</button>
      </Gate>
    );
  }
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    login.mutate(credentials);
  };
  return (
    <Gate>
      <header>
        <h1>{isPublic ? "Welcome back" : `Log in to ${host.organization}`}</h1>
        <p className="soft">{isPublic ? "We find your organization for you." : window.location.hostname}</p>
      </header>
      <form onSubmit={submit}>
        <Field
          label="E-mail or user name"
          autoComplete="username"
          autoCapitalize="none"
          required
          maxLength={150}
          value={credentials.username}
          onChange={(event) => setCredentials({ ...credentials, username: event.target.value })}
        />
        <Field
          label="Password"
          type="password"
          autoComplete="current-password"
          required
          value={credentials.password}
          onChange={(event) => setCredentials({ ...credentials, password: event.target.value })}
        />
        {isUnverified ? <Unverified publicHost={host.public_host} /> : <Problem error={login.error} />}
        <button type="submit" className="button primary" disabled={login.isPending}>
          {login.isPending ? "Logging in …" : "Log in"}
        </button>
      </form>
      {isPublic && host.has_demo ? (
        <>
          <div className="or">or</div>
          <DemoButton />
        </>
      ) : null}
      <p className="soft small">
        New here? <a href={isPublic ? "/signup" : urlOf(host.public_host, "/signup", window.location)}>Sign your organization up</a>
      </p>
    </Gate>
  );
}

/** Take over the session that the public host began, and take its token out of the address bar before anything else. */
function useArrival(publicHost: string): boolean {
  const [, navigate] = useLocation();
  const [token, setToken] = useState(() => handedOver(window.location.hash, document.referrer, publicHost));
  useEffect(() => {
    if (window.location.hash === "") return; // the second of the two runs that React makes while developing
    history.replaceState(history.state, "", window.location.pathname + window.location.search);
    if (token === null) return;
    session
      .takeOver(token)
      .then(() => navigate("/app", { replace: true }))
      .catch(() => setToken(null));
  }, [navigate, token]);
  return token !== null;
}

function Unverified({ publicHost }: { publicHost: string }) {
  return (
    <div className="note" role="alert">
      <Icon name="bell" />
      <div>
        Please confirm your address first: we sent you a link.{" "}
        <a href={urlOf(publicHost, "/resend", window.location)}>Send it again</a>
      </div>
    </div>
  );
}
