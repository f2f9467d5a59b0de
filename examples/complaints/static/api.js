// One door to the API: repeats the CSRF word, refreshes the session once, turns a refusal into an error with a sentence.
export class Refused extends Error {
  constructor(status, detail) {
    const problems = Array.isArray(detail) ? detail.map(one => `${one.loc.at(-1)}: ${one.msg}`).join(". ") : detail;
    super(problems || `The server answered ${status}.`);
    this.status = status;
  }
}

const csrf = () => document.cookie.match(/(?:^|; )cms_csrf=([^;]*)/)?.[1] ?? "";

function send(method, path, body) {
  const headers = {"X-CSRF-Token": csrf()};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return fetch(path, {method, headers, body: body === undefined ? undefined : JSON.stringify(body)});
}

let refreshing = null;  // many requests may find at once that the access token is too old

export async function call(method, path, body) {
  let answer = await send(method, path, body);
  if (answer.status === 401 && csrf() && path !== "/auth/login") {
    refreshing ??= send("POST", "/auth/refresh").finally(() => { refreshing = null; });
    if ((await refreshing).ok) answer = await send(method, path, body);
  }
  const found = answer.headers.get("Content-Type")?.includes("json") ? await answer.json() : null;
  if (!answer.ok) throw new Refused(answer.status, found?.detail);
  return found;
}

export const get = path => call("GET", path);
export const post = (path, body) => call("POST", path, body);
