// Talks to the API on the same origin; a failure becomes an Error whose message can be shown.

const KEY = "community";
let session = JSON.parse(localStorage.getItem(KEY) || "null");

export const user = () => session?.user ?? null;

export function remember(welcome) {
  session = welcome;
  if (welcome) localStorage.setItem(KEY, JSON.stringify(welcome));
  else localStorage.removeItem(KEY);
  document.dispatchEvent(new Event("user"));
}

export async function call(method, path, body) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (session) headers.Authorization = `Bearer ${session.token}`;
  let answer;
  try {
    answer = await fetch(`/api${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Error("The server cannot be reached.");
  }
  if (answer.status === 204) return null;
  const found = await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  // A token that is too old: say so once and go on as a guest.
  if (answer.status === 401 && session && !path.startsWith("/auth/login")) remember(null);
  throw new Error(reason(found, answer.status));
}

function reason(found, status) {
  if (typeof found.detail === "string") return found.detail;
  if (Array.isArray(found.detail)) return found.detail.map((one) => `${one.loc.at(-1)}: ${one.msg}`).join(" ");
  return `The server answered ${status}.`;
}
