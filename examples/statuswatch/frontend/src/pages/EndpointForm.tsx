import { useQuery } from "@tanstack/react-query";
import { useState, type SyntheticEvent } from "react";
import { Link, useLocation } from "wouter";
import { api } from "../api/client";
import { ApiError } from "../api/errors";
import { endpointQuery, useChange } from "../api/queries";
import type { Endpoint, EndpointFields } from "../api/types";
import { draftOf, ENDPOINT_INPUTS, fieldsOf, NEW_ENDPOINT, problemsOf, type EndpointDraft, type Problems } from "../lib/forms";
import { Field, focusFirstProblem } from "../ui/Field";
import { Icon } from "../ui/icons";
import { Failed, Heading, Loading, Problem } from "../ui/parts";

export function NewEndpoint() {
  const save = useChange((fields: EndpointFields) => api<Endpoint>("POST", "/api/endpoints/", fields), "endpoints", "status");
  return (
    <div className="content narrow">
      <Back href="/app">Endpoints</Back>
      <Heading title="Add endpoint" />
      <Form start={NEW_ENDPOINT} save={save} verb="Add endpoint" />
    </div>
  );
}

export function EditEndpoint({ id }: { id: string }) {
  const endpoint = useQuery({ ...endpointQuery(id), refetchInterval: false });
  const save = useChange((fields: EndpointFields) => api<Endpoint>("PATCH", `/api/endpoints/${id}/`, fields), "endpoints", "status");
  return (
    <div className="content narrow">
      <Back href={`/app/endpoints/${id}`}>{endpoint.data?.name ?? "Endpoint"}</Back>
      <Heading title="Edit endpoint" />
      {endpoint.isPending ? <Loading what="Loading the endpoint" /> : null}
      {endpoint.isError ? <Failed error={endpoint.error} onRetry={endpoint.refetch} /> : null}
      {endpoint.data === undefined ? null : <Form start={draftOf(endpoint.data)} save={save} verb="Save" />}
    </div>
  );
}

export function Back({ href, children }: { href: string; children: string }) {
  return (
    <Link className="back" href={href}>
      <Icon name="back" />
      {children}
    </Link>
  );
}

interface FormProps {
  readonly start: EndpointDraft;
  readonly save: ReturnType<typeof useChange<EndpointFields, Endpoint>>;
  readonly verb: string;
}

function Form({ start, save, verb }: FormProps) {
  const [, navigate] = useLocation();
  const [draft, setDraft] = useState(start);
  const [own, setOwn] = useState<Problems<EndpointDraft>>({});
  const problems = { ...refusals(save.error), ...own };
  const isFull = save.error instanceof ApiError && save.error.status === 403;

  const input = (name: keyof EndpointDraft) => ({
    value: draft[name],
    problem: problems[name],
    onChange: (event: { target: { value: string } }) => {
      setDraft({ ...draft, [name]: event.target.value });
      setOwn(without(own, name));
    },
  });
  const submit = (event: SyntheticEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const found = problemsOf(draft);
    setOwn(found);
    if (Object.keys(found).length > 0) {
      focusFirstProblem(form);
      return;
    }
    save.mutate(fieldsOf(draft), {
      onSuccess: (endpoint) => navigate(`/app/endpoints/${endpoint.id}`),
      onError: () => focusFirstProblem(form),
    });
  };
  return (
    <form className="stack loose" onSubmit={submit} noValidate>
      <div className="card padded stack">
        <Field label="Name" autoComplete="off" maxLength={120} placeholder="Website" {...input("name")} />
        <div className="fields">
          <Field label="Address" type="url" autoComplete="off" inputMode="url" maxLength={500} hint="It must be reachable from the internet." {...input("url")} />
          <Field label="Check every" type="number" inputMode="numeric" min={1} max={1440} unit="minutes" {...input("interval")} />
        </div>
      </div>
      <fieldset className="card padded stack">
        <legend className="hidden">When an answer is good</legend>
        <div aria-hidden="true"><h2>When an answer is good</h2></div>
        <p className="soft">All of these must be met. Left empty, any answer below 400 within 10 seconds will do.</p>
        <div className="fields">
          <Field label="Status" autoComplete="off" placeholder="200-299,401" maxLength={120} hint="Numbers and ranges." {...input("statuses")} />
          <Field label="Text in the body" autoComplete="off" placeholder="All systems" maxLength={200} hint="Exactly as it is written there." {...input("body")} />
          <Field label="Latency at most" type="number" inputMode="numeric" min={1} placeholder="800" unit="ms" {...input("latency")} />
          <Field label="Certificate valid for" type="number" inputMode="numeric" min={0} max={365} placeholder="14" unit="days" {...input("certificateDays")} />
        </div>
      </fieldset>
      {isFull ? (
        <div className="note" role="alert">
          <Icon name="wallet" />
          <div>{save.error?.message} <Link href="/app/plan">See the plans</Link></div>
        </div>
      ) : (
        <Problem error={save.error} />
      )}
      <div className="buttons">
        <button type="submit" className="button primary" disabled={save.isPending}>{save.isPending ? "Saving …" : verb}</button>
        <button type="button" className="button quiet" onClick={() => history.back()}>Cancel</button>
      </div>
    </form>
  );
}

function without(problems: Problems<EndpointDraft>, name: keyof EndpointDraft): Problems<EndpointDraft> {
  return Object.fromEntries(Object.entries(problems).filter(([key]) => key !== name));
}

function refusals(error: Error | null): Problems<EndpointDraft> {
  if (!(error instanceof ApiError)) return {};
  const found: Problems<EndpointDraft> = {};
  for (const [field, message] of Object.entries(error.fields)) {
    if (field in ENDPOINT_INPUTS) found[ENDPOINT_INPUTS[field as keyof EndpointFields]] = message;
  }
  return found;
}
