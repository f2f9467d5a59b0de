import type { Endpoint, EndpointFields } from "../api/types";

/** What stands in the inputs. */
export interface EndpointDraft {
  name: string;
  url: string;
  interval: string;
  statuses: string;
  body: string;
  latency: string;
  certificateDays: string;
}

export type Problems<T> = Partial<Record<keyof T, string>>;

export const NEW_ENDPOINT: EndpointDraft = {
  name: "",
  url: "https://",
  interval: "5",
  statuses: "",
  body: "",
  latency: "",
  certificateDays: "",
};

export function draftOf(endpoint: Endpoint): EndpointDraft {
  return {
    name: endpoint.name,
    url: endpoint.url,
    interval: String(endpoint.interval_minutes),
    statuses: endpoint.expected_status,
    body: endpoint.body_contains,
    latency: endpoint.max_latency_ms === null ? "" : String(endpoint.max_latency_ms),
    certificateDays: endpoint.min_certificate_days === null ? "" : String(endpoint.min_certificate_days),
  };
}

/** The API's names of the inputs, for its errors. */
export const ENDPOINT_INPUTS: Readonly<Record<keyof EndpointFields, keyof EndpointDraft>> = {
  name: "name",
  url: "url",
  interval_minutes: "interval",
  expected_status: "statuses",
  body_contains: "body",
  max_latency_ms: "latency",
  min_certificate_days: "certificateDays",
};

export function fieldsOf(draft: EndpointDraft): EndpointFields {
  return {
    name: draft.name.trim(),
    url: draft.url.trim(),
    interval_minutes: Number(draft.interval),
    expected_status: draft.statuses.trim(),
    body_contains: draft.body,
    max_latency_ms: draft.latency.trim() === "" ? null : Number(draft.latency),
    min_certificate_days: draft.certificateDays.trim() === "" ? null : Number(draft.certificateDays),
  };
}

/** Say what the API would refuse, before it is asked. Whether an address may be checked only the server knows. */
export function problemsOf(draft: EndpointDraft): Problems<EndpointDraft> {
  const found: Problems<EndpointDraft> = {};
  if (draft.name.trim() === "") found.name = "Give it a name.";
  const url = problemOfUrl(draft.url.trim());
  if (url !== null) found.url = url;
  if (!isWhole(draft.interval, 1, 1440)) found.interval = "Between 1 and 1440 minutes.";
  if (!areStatuses(draft.statuses)) found.statuses = "Write statuses like 200,204 or 200-299,401.";
  if (draft.latency.trim() !== "" && !isWhole(draft.latency, 1, 60_000)) found.latency = "Between 1 and 60000 ms, or empty.";
  if (draft.certificateDays.trim() !== "" && !isWhole(draft.certificateDays, 0, 365)) {
    found.certificateDays = "Between 0 and 365 days, or empty.";
  }
  return found;
}

/** `200,204` or `200-299,401`; nothing at all means every status below 400. */
export function areStatuses(text: string): boolean {
  if (text.trim() === "") return true;
  return text.split(",").every((part) => {
    const found = /^\s*(\d{3})(?:\s*-\s*(\d{3}))?\s*$/.exec(part);
    if (found === null) return false;
    const low = Number(found[1]);
    const high = Number(found[2] ?? found[1]);
    return low >= 100 && low <= high && high <= 599;
  });
}

export interface PasswordRule {
  readonly text: string;
  readonly isMet: boolean;
}

export function passwordRules(password: string): PasswordRule[] {
  return [
    { text: "12 to 128 characters", isMet: password.length >= 12 && password.length <= 128 },
    { text: "an upper-case letter", isMet: /[A-Z]/.test(password) },
    { text: "a lower-case letter", isMet: /[a-z]/.test(password) },
    { text: "a digit", isMet: /[0-9]/.test(password) },
    { text: "a sign", isMet: /[^A-Za-z0-9]/.test(password) },
  ];
}

function problemOfUrl(text: string): string | null {
  if (!/^https?:\/\//i.test(text)) return "Begin with http:// or https://.";
  try {
    return new URL(text).hostname === "" ? "Add a host name." : null;
  } catch {
    return "Add a host name.";
  }
}

function isWhole(text: string, least: number, most: number): boolean {
  const value = Number(text);
  return text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most;
}
