import { useQuery } from "@tanstack/react-query";
import { useState, type SyntheticEvent } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/errors";
import { tokensQuery, useChange } from "../api/queries";
import type { ApiToken } from "../api/types";
import { date, relative } from "../lib/time";
import { Confirm } from "../ui/Confirm";
import { Field } from "../ui/Field";
import { useNow } from "../ui/hooks";
import { Icon } from "../ui/icons";
import { Empty, Failed, Heading, Loading, Problem } from "../ui/parts";

type Issued = ApiToken & { key: string };

export function Keys() {
  const now = useNow();
  const tokens = useQuery(tokensQuery);
  const [asked, setAsked] = useState<ApiToken | null>(null);
  const remove = useChange((id: number) => api("DELETE", `/api/api-tokens/${id}/`), "tokens");
  return (
    <div className="content">
      <Heading title="API keys" />
      <p className="soft">For programs: what deploys registers endpoints and marks its deploys. <a href="/api/docs/">What the API can do</a></p>
      <NewKey />
      {tokens.isPending ? <Loading what="Loading keys" /> : null}
      {tokens.isError ? <Failed error={tokens.error} onRetry={tokens.refetch} /> : null}
      {tokens.data?.length === 0 ? <Empty icon="key" title="No keys yet"><p>Give each program a key of its own, and take it back when the program is gone.</p></Empty> : null}
      {tokens.data === undefined || tokens.data.length === 0 ? null : (
        <ul className="card rows" aria-label="Keys">
          {tokens.data.map((token) => (
            <li key={token.id}>
              <div className="grow">
                <b>{token.name}</b>
                <p className="soft small">made {date(token.created_at)}, {token.last_used_at === null ? "never used" : `used ${relative(token.last_used_at, now)}`}</p>
              </div>
              <button type="button" className="button quiet small" aria-label={`Delete ${token.name}`} onClick={() => setAsked(token)}>Delete</button>
            </li>
          ))}
        </ul>
      )}
      {asked === null ? null : (
        <Confirm
          title={`Delete ${asked.name}?`}
          action="Delete it"
          isBusy={remove.isPending}
          error={remove.error}
          onClose={() => setAsked(null)}
          onConfirm={() => remove.mutate(asked.id, { onSuccess: () => setAsked(null) })}
        >
          What uses it is refused from then on.
        </Confirm>
      )}
    </div>
  );
}

function NewKey() {
  const [name, setName] = useState("");
  const issue = useChange((given: string) => api<Issued>("POST", "/api/api-tokens/", { name: given }), "tokens");
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    issue.mutate(name, { onSuccess: () => setName("") });
  };
  return (
    <form className="card padded stack" onSubmit={submit}>
      <Field
        label="Name of the program"
        required
        maxLength={100}
        value={name}
        problem={issue.error instanceof ApiError ? issue.error.fields.name : undefined}
        onChange={(event) => setName(event.target.value)}
      />
      <Problem error={issue.error} />
      <div className="buttons"><button type="submit" className="button primary" disabled={issue.isPending}>Make a key</button></div>
      {issue.data === undefined ? null : (
        <div className="note info" role="status">
          <Icon name="key" />
          <div className="stack">
            <p><b>{issue.data.name}</b>: copy the key now, it is shown this once.</p>
            <code className="secret">{issue.data.key}</code>
          </div>
        </div>
      )}
    </form>
  );
}
