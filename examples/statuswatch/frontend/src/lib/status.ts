import type { Endpoint, State } from "../api/types";

const PHRASES: Readonly<Record<string, string>> = {
  pending: "Waiting for the first check",
  "network-error": "No connection",
  "unmet:status": "Unexpected status",
  "unmet:body": "Expected text is missing",
  "unmet:latency": "Too slow",
  "unmet:certificate": "Certificate ends soon",
};

/** What a stored status means: a number is an answer as it should be. */
export function stateOf(status: string): State {
  if (status === "pending") return "pending";
  return /^\d+$/.test(status) ? "up" : "down";
}

/** A stored status or an incident's cause, for people. */
export function phrase(status: string): string {
  const known = PHRASES[status];
  if (known !== undefined) return known;
  if (/^\d+$/.test(status)) return `HTTP ${status}`;
  const failed = /^error:(\d+)$/.exec(status);
  return failed?.[1] === undefined ? status : `HTTP ${failed[1]}`;
}

export function stateOfEndpoint(endpoint: Pick<Endpoint, "last_status" | "paused_by">): State {
  return endpoint.paused_by === "" ? stateOf(endpoint.last_status) : "paused";
}

export const STATE_NAMES: Readonly<Record<State, string>> = { up: "Up", down: "Down", pending: "Pending", paused: "Paused" };

export interface Summary {
  readonly state: State;
  readonly headline: string;
  readonly up: number;
  readonly down: number;
  readonly pending: number;
}

/** One line about all endpoints; it claims nothing before the first check, and nothing about what is paused. */
export function summarize(shown: readonly State[]): Summary {
  const states = shown.filter((state) => state !== "paused");
  const count = (wanted: State): number => states.filter((state) => state === wanted).length;
  const [up, down, pending, all] = [count("up"), count("down"), count("pending"), states.length];
  if (all === 0) {
    const headline = shown.length === 0 ? "Nothing is watched yet" : "Nothing is watched now";
    return { state: "pending", headline, up, down, pending };
  }
  if (down > 0) return { state: "down", headline: `${down} of ${all} ${plural(all, "endpoint")} down`, up, down, pending };
  if (pending > 0) {
    return { state: "pending", headline: `${pending} of ${all} ${plural(all, "endpoint")} not checked yet`, up, down, pending };
  }
  return { state: "up", headline: "All systems operational", up, down, pending };
}

export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[middle]];
  return low === undefined || high === undefined ? null : Math.round((low + high) / 2);
}

export function plural(count: number, word: string): string {
  return count === 1 ? word : `${word}s`;
}

/** "99.95 %"; never rounded up to 100 while something failed. */
export function percent(value: number | null): string {
  if (value === null) return "–";
  if (value === 100) return "100 %";
  return `${(Math.floor(value * 100) / 100).toFixed(2)} %`;
}

/** "230 ms", "1.4 s". */
export function latency(ms: number | null): string {
  if (ms === null) return "–";
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

/** The worst first, then by name: what needs somebody is at the top. */
export function byUrgency(a: Endpoint, b: Endpoint): number {
  const rank: Record<State, number> = { down: 0, pending: 1, up: 2, paused: 3 };
  return rank[stateOfEndpoint(a)] - rank[stateOfEndpoint(b)] || a.name.localeCompare(b.name);
}
