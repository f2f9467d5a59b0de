import { ApiError, errorOf, Unreachable } from "./errors";
import type { Tokens } from "./types";

type Fetch = (path: string, options: RequestInit) => Promise<Response>;
type Lock = <T>(work: () => Promise<T>) => Promise<T>;
type Storage = Pick<globalThis.Storage, "getItem" | "setItem" | "removeItem">;

const KEY = "statuswatch.refresh";

/**
 * One person's session on one host.
 *
 * The access token stays in memory. The refresh token is worth one use, so all tabs share it in the storage and take
 * turns: the server takes a used one for ten more seconds only, for a page that was reloaded before its answer came.
 */
export class Session {
  private access: string | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly fetch: Fetch,
    private readonly storage: Storage,
    private readonly lock: Lock,
  ) {}

  readonly isOpen = (): boolean => this.storage.getItem(KEY) !== null;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Something changed here, or in another tab. */
  readonly notify = (): void => {
    if (!this.isOpen()) this.access = null;
    for (const listener of this.listeners) listener();
  };

  begin(tokens: Tokens): void {
    this.access = tokens.access;
    this.storage.setItem(KEY, tokens.refresh);
    this.notify();
  }

  /** Go on with a session that the public host began; its token is used up at once. */
  async takeOver(refresh: string): Promise<void> {
    this.storage.setItem(KEY, refresh);
    this.access = null;
    await this.renew(null);
    this.notify();
  }

  /** Ask with the access token, and once more with a new one when it has run out. */
  async ask(path: string, options: RequestInit = {}): Promise<Response> {
    const used = this.access ?? (await this.renew(null));
    const answer = await this.send(path, options, used);
    if (answer.status !== 401) return answer;
    return this.send(path, options, await this.renew(used));
  }

  /** Forget the session here whatever the server says, and tell the server. */
  async end(): Promise<void> {
    const refresh = this.storage.getItem(KEY);
    this.storage.removeItem(KEY);
    this.notify();
    if (refresh !== null) await this.post("/api/auth/logout/", refresh).catch(() => undefined);
  }

  private async renew(used: string | null): Promise<string> {
    return this.lock(async () => {
      if (this.access !== null && this.access !== used) return this.access; // another request was quicker
      const refresh = this.storage.getItem(KEY);
      if (refresh === null) throw errorOf(401, null);
      const answer = await this.post("/api/auth/refresh/", refresh);
      if (answer.status === 401) {
        this.storage.removeItem(KEY);
        this.notify();
        throw errorOf(401, null);
      }
      if (!answer.ok) throw errorOf(answer.status, await answer.json().catch(() => null));
      const tokens = (await answer.json()) as Tokens;
      this.storage.setItem(KEY, tokens.refresh);
      this.access = tokens.access;
      return tokens.access;
    });
  }

  private async post(path: string, refresh: string): Promise<Response> {
    const headers = { "Content-Type": "application/json" };
    return reach(() => this.fetch(path, { method: "POST", headers, body: JSON.stringify({ refresh }) }));
  }

  private async send(path: string, options: RequestInit, access: string): Promise<Response> {
    const headers = new Headers(options.headers);
    headers.set("Authorization", `Bearer ${access}`);
    return reach(() => this.fetch(path, { ...options, headers }));
  }
}

export async function reach(ask: () => Promise<Response>): Promise<Response> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ApiError || (error instanceof DOMException && error.name === "AbortError")) throw error;
    throw new Unreachable();
  }
}
