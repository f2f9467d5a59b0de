import { errorOf } from "./errors";
import { reach, Session } from "./session";

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

let turn: Promise<unknown> = Promise.resolve();

/** Requests take turns, those of other tabs too where the browser has locks (it has none on plain http). */
function lock<T>(work: () => Promise<T>): Promise<T> {
  if ("locks" in navigator) return navigator.locks.request("statuswatch.session", work) as Promise<T>;
  const mine = turn.then(work, work);
  turn = mine.catch(() => undefined);
  return mine;
}

export const session = new Session((path, options) => fetch(path, options), localStorage, lock);
addEventListener("storage", session.notify);

/** Ask as the person who is logged in. */
export async function api<T>(method: Method, path: string, body?: unknown): Promise<T> {
  return read<T>(await session.ask(path, optionsOf(method, body)));
}

/** Ask as anybody. */
export async function open<T>(method: Method, path: string, body?: unknown): Promise<T> {
  return read<T>(await reach(() => fetch(path, optionsOf(method, body))));
}

function optionsOf(method: Method, body: unknown): RequestInit {
  return body === undefined
    ? { method }
    : { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

async function read<T>(answer: Response): Promise<T> {
  const body: unknown = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw errorOf(answer.status, body);
  return body as T;
}
