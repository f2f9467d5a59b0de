import { useQuery } from "@tanstack/react-query";
import { useState, type SyntheticEvent } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/errors";
import { tokensQuery, useChange } from "../api/queries";
import type { ApiToken } from "../api/types";
import { date, relative } from "../lib/time";
import { useDeletion } from "../ui/deletion";
import { Field } from "../ui/Field";
import { useNow } from "../ui/hooks";
import { Icon } from "../ui/icons";
import { Listed } from "../ui/lists";
import { Empty, Heading, Problem } from "../ui/parts";

type Issued = ApiToken & { key: string };

export function Keys() {
  const now = useNow();
  const tokens = useQuery(tokensQuery);
  const [ask, question] = useDeletion("/api/api-tokens/", "What uses it is refused from then on.", "tokens");
  return (
    <div className="content">
      <Heading title="API keys" />
      <p className="soft">For programs: what deploys registers endpoints and marks its deploys. <a href="/api/docs/">What the API can do</a></p>
      <NewKey />
      <Listed query={tokens} what="keys" empty={<Nothing />}>
        {(rows) => (
          <ul className="card rows" aria-label="Keys">
            {rows.map((token) => (
              <li key={token.id}>
                <div className="grow">
                  <b>{token.name}</b>
                  <p className="soft small">made {date(token.created_at)}, {token.last_used_at === null ? "never used" : `used ${relative(token.last_used_at, now)}`}</p>
                </div>
                <button type="button" className="button quiet small" aria-label={`Delete ${token.name}`} onClick={() => ask(token)}>Delete</button>
              </li>
            ))}
          </ul>
        )}
      </Listed>
      {question}
    </div>
  );
}

function Nothing() {
  return <Empty icon="key" title="No keys yet"><p>Give each program a key of its own, and take it back when the program is gone.</p></Empty>;
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
