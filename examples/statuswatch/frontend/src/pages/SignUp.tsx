import { useMutation } from "@tanstack/react-query";
import { useState, type SyntheticEvent } from "react";
import { open } from "../api/client";
import { ApiError } from "../api/errors";
import type { Registered } from "../api/types";
import { passwordRules } from "../lib/forms";
import { slugOf } from "../lib/hosts";
import { Field, focusFirstProblem } from "../ui/Field";
import { useHost, useTitle } from "../ui/hooks";
import { Icon } from "../ui/icons";
import { Problem } from "../ui/parts";
import { Gate } from "../ui/PublicFrame";
import { SendAgain } from "./Resend";

const NOTHING = { organization: "", email: "", password: "" };

export function SignUp() {
  const { public_host } = useHost();
  const [draft, setDraft] = useState(NOTHING);
  const register = useMutation({ mutationFn: () => open<Registered>("POST", "/api/auth/register/", draft) });
  useTitle("Sign up");
  if (register.isSuccess) return <CheckYourMail registered={register.data} />;

  const rules = passwordRules(draft.password);
  const refused = register.error instanceof ApiError ? register.error : null;
  const isTaken = refused?.status === 409;
  const slug = slugOf(draft.organization);
  const submit = (event: SyntheticEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    register.mutate(undefined, { onError: () => focusFirstProblem(form) });
  };
  return (
    <Gate>
      <header>
        <h1>Watch your first site in a minute</h1>
        <p className="soft">Three endpoints are free, for as long as you like.</p>
      </header>
      <form onSubmit={submit}>
        <Field
          label="Organization"
          autoComplete="organization"
          required
          minLength={2}
          maxLength={100}
          value={draft.organization}
          problem={isTaken ? refused.message : refused?.fields.organization}
          hint={slug === "" ? "Your pages get an address of their own." : <>Your pages will be at <b>{slug}.{public_host}</b></>}
          onChange={(event) => setDraft({ ...draft, organization: event.target.value })}
        />
        <Field
          label="E-mail"
          type="email"
          autoComplete="email"
          required
          maxLength={150}
          value={draft.email}
          problem={refused?.fields.email}
          onChange={(event) => setDraft({ ...draft, email: event.target.value })}
        />
        <Field
          label="Password"
          type="password"
          autoComplete="new-password"
          required
          minLength={12}
          maxLength={128}
          value={draft.password}
          problem={refused?.fields.password}
          hint={
            <ul className="rules">
              {rules.map((rule) => (
                <li key={rule.text} className={rule.isMet ? "met" : ""}>
                  <Icon name={rule.isMet ? "check" : "close"} />
                  {rule.text}
                  <span className="hidden">{rule.isMet ? " (done)" : " (missing)"}</span>
                </li>
              ))}
            </ul>
          }
          onChange={(event) => setDraft({ ...draft, password: event.target.value })}
        />
        {isTaken ? null : <Problem error={register.error} />}
        <button type="submit" className="button primary" disabled={register.isPending || rules.some((rule) => !rule.isMet)}>
          {register.isPending ? "Making your organization …" : "Sign up"}
        </button>
      </form>
      <p className="soft small">Already with us? <a href="/login">Log in</a></p>
    </Gate>
  );
}

function CheckYourMail({ registered }: { registered: Registered }) {
  useTitle("Check your mail");
  return (
    <Gate>
      <header role="status">
        <h1>Check your mail</h1>
        <p className="soft">
          {registered.tenant_name} is ready at <b>{registered.tenant_domain}</b>. We sent a link to <b>{registered.email}</b>;
          it is valid for 48 hours.
        </p>
      </header>
      <a className="button primary" href="/login">I have confirmed, log me in</a>
      <SendAgain email={registered.email} />
    </Gate>
  );
}
