import { beforeEach, describe, expect, it } from "vitest";
import { ApiError, Unreachable } from "../src/api/errors";
import { Session } from "../src/api/session";

/** The API's sessions in small: each refresh token is worth one use, and an access token lives until `expire`. */
class Server {
  asked: string[] = [];
  valid = new Set<string>();
  refresh = "r0";
  private count = 0;

  readonly fetch = async (path: string, options: RequestInit): Promise<Response> => {
    this.asked.push(path);
    await Promise.resolve();
    if (path === "/api/auth/refresh/") {
      const given = (JSON.parse(options.body as string) as { refresh: string }).refresh;
      if (given !== this.refresh) return new Response("{}", { status: 401 });
      this.count += 1;
      this.refresh = `r${this.count}`;
      this.valid.add(`a${this.count}`);
      return Response.json({ access: `a${this.count}`, refresh: this.refresh });
    }
    const token = new Headers(options.headers).get("Authorization")?.replace("Bearer ", "") ?? "";
    return Response.json({ token }, { status: this.valid.has(token) ? 200 : 401 });
  };

  expire(): void {
    this.valid.clear();
  }

  get refreshes(): number {
    return this.asked.filter((path) => path === "/api/auth/refresh/").length;
  }
}

function memory(): Pick<Storage, "getItem" | "setItem" | "removeItem"> {
  const values = new Map<string, string>();
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  };
}

function locks(): <T>(work: () => Promise<T>) => Promise<T> {
  let turn: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = turn.then(work, work);
    turn = mine.catch(() => undefined);
    return mine;
  };
}

let server: Server;
let storage: ReturnType<typeof memory>;
let session: Session;
const lock = locks();

beforeEach(async () => {
  server = new Server();
  storage = memory();
  session = new Session(server.fetch, storage, lock);
  await session.takeOver("r0");
});

describe("a session", () => {
  it("keeps the access token out of the storage", () => {
    expect(storage.getItem("statuswatch.refresh")).toBe("r1");
    expect(server.valid).toEqual(new Set(["a1"]));
  });

  it("asks again with a new token when the old one has run out", async () => {
    server.expire();
    expect((await session.ask("/api/endpoints/")).status).toBe(200);
    expect(server.refreshes).toBe(2);
  });

  it("renews once for requests at the same time", async () => {
    server.expire();
    const answers = await Promise.all([1, 2, 3].map(() => session.ask("/api/endpoints/")));
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
    expect(server.refreshes).toBe(2);
  });

  it("is shared by tabs: each uses the token that the other one left", async () => {
    const other = new Session(server.fetch, storage, lock);
    server.expire();
    const answers = await Promise.all([session.ask("/api/x/"), other.ask("/api/x/"), other.ask("/api/y/")]);
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
    expect(session.isOpen()).toBe(true);
  });

  it("is over when the server says so, and tells those who listen", async () => {
    let told = 0;
    session.subscribe(() => (told += 1));
    server.expire();
    server.refresh = "used by somebody else";
    await expect(session.ask("/api/x/")).rejects.toMatchObject({ status: 401 });
    expect(session.isOpen()).toBe(false);
    expect(told).toBe(1);
  });

  it("outlives a server that cannot be reached", async () => {
    const offline = new Session(() => Promise.reject(new TypeError("failed to fetch")), storage, lock);
    await expect(offline.ask("/api/x/")).rejects.toBeInstanceOf(Unreachable);
    expect(offline.isOpen()).toBe(true);
  });

  it("outlives a server that is restarting", async () => {
    const busy = new Session(() => Promise.resolve(new Response("", { status: 503 })), storage, lock);
    await expect(busy.ask("/api/x/")).rejects.toBeInstanceOf(ApiError);
    expect(busy.isOpen()).toBe(true);
  });

  it("ends here at once, whatever the server says", async () => {
    const offline = new Session(() => Promise.reject(new TypeError("failed to fetch")), storage, lock);
    await offline.end();
    expect(offline.isOpen()).toBe(false);
    expect(session.isOpen()).toBe(false);
  });
});
