import type { LoggedIn } from "../api/types";

type Place = Pick<Location, "protocol" | "port">;

const HANDOVER = "#session=";

/** The address of another of our hosts: the same scheme and port as here. */
export function urlOf(host: string, path: string, here: Place): string {
  return `${here.protocol}//${host}${here.port ? `:${here.port}` : ""}${path}`;
}

/**
 * Where a login on the public host goes on. The refresh token travels in the fragment, which no server sees and no log
 * keeps; the page there uses it up before anything else, so what stays in the browser's history is worthless.
 */
export function handoverUrl(loggedIn: LoggedIn, here: Place): string {
  return urlOf(loggedIn.tenant_domain, `/login${HANDOVER}${encodeURIComponent(loggedIn.refresh)}`, here);
}

/** The handed-over token, if the page that led here is the public host's: else anybody could log people in as themselves. */
export function handedOver(fragment: string, referrer: string, publicHost: string): string | null {
  if (!fragment.startsWith(HANDOVER)) return null;
  try {
    return new URL(referrer).hostname === publicHost ? decodeURIComponent(fragment.slice(HANDOVER.length)) : null;
  } catch {
    return null;
  }
}

/** Where to go after a login: a path of ours, whatever the address bar says. */
export function nextPath(search: string): string {
  const next = new URLSearchParams(search).get("next") ?? "";
  return /^\/app(?:[/?][^\\]*)?$/.test(next) ? next : "/app";
}

/** The first label that an organization will most likely get; the server decides. */
export function slugOf(name: string): string {
  return name
    .normalize("NFKD")
    .replace(/[^\w\s-]/g, "")
    .trim()
    .toLowerCase()
    .replace(/[-\s]+/g, "-")
    .slice(0, 48)
    .replace(/^[-_]+|[-_]+$/g, "");
}
