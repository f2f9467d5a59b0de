import { describe, expect, it } from "vitest";
import { errorOf } from "../src/api/errors";
import type { Bucket, LoggedIn } from "../src/api/types";
import { areaPath, healthOf, linePath, slotsOf, ticks } from "../src/lib/chart";
import { areStatuses, fieldsOf, NEW_ENDPOINT, passwordRules, problemsOf } from "../src/lib/forms";
import { handedOver, handoverUrl, nextPath, slugOf } from "../src/lib/hosts";
import { latency, median, percent, phrase, stateOf, stateOfEndpoint, summarize } from "../src/lib/status";
import { duration, fromInput, relative, toInput } from "../src/lib/time";

const NOW = new Date("2026-03-01T12:00:00Z");
const bucket = (at: string, more: Partial<Bucket> = {}): Bucket => ({
  at,
  checks: 2,
  up: 2,
  latency_avg_ms: 100,
  latency_p95_ms: 150,
  ...more,
});

describe("hosts", () => {
  const here = { protocol: "https:", port: "8443" };
  const loggedIn = { tenant_domain: "acme.example.com", refresh: "a.b+c" } as LoggedIn;

  it("hands a session over in the fragment, to the same port", () => {
    expect(handoverUrl(loggedIn, here)).toBe("https://acme.example.com:8443/login#session=a.b%2Bc");
  });

  it.each([
    ["https://example.com/", "a.b+c"],
    ["https://evil.example/", null],
    ["https://example.com.evil.example/", null],
    ["", null],
  ])("takes it from the public host only: %s", (referrer, wanted) => {
    expect(handedOver("#session=a.b%2Bc", referrer, "example.com")).toBe(wanted);
  });

  it("ignores other fragments, and broken ones", () => {
    expect(handedOver("#main", "https://example.com/", "example.com")).toBeNull();
    expect(handedOver("#session=%E0%A4%A", "https://example.com/", "example.com")).toBeNull();
  });

  it.each([
    ["?next=%2Fapp%2Fplan%3Fcheckout%3Dsuccess", "/app/plan?checkout=success"],
    ["?next=https%3A%2F%2Fevil.example", "/app"],
    ["?next=%2F%2Fevil.example", "/app"],
    ["?next=%2Fapplication", "/app"],
    ["?next=%2Fapp%2F%5C%5Cevil.example", "/app"],
    ["", "/app"],
  ])("goes on inside only: %s", (search, wanted) => {
    expect(nextPath(search)).toBe(wanted);
  });

  it.each([
    ["Fresh Fish & Co", "fresh-fish-co"],
    ["  Café Zürich ", "cafe-zurich"],
    ["---", ""],
  ])("guesses the label of %s", (name, wanted) => {
    expect(slugOf(name)).toBe(wanted);
  });
});

describe("status", () => {
  it.each([
    ["200", "up", "HTTP 200"],
    ["error:503", "down", "HTTP 503"],
    ["network-error", "down", "No connection"],
    ["unmet:body", "down", "Expected text is missing"],
    ["pending", "pending", "Waiting for the first check"],
    ["something-new", "down", "something-new"],
  ])("reads %s", (status, state, text) => {
    expect([stateOf(status), phrase(status)]).toEqual([state, text]);
  });

  it("claims nothing before the first check", () => {
    expect(summarize([]).headline).toBe("Nothing is watched yet");
    expect(summarize(["up", "pending"]).headline).toBe("1 of 2 endpoints not checked yet");
    expect(summarize(["up", "down", "pending"])).toMatchObject({ state: "down", headline: "1 of 3 endpoints down" });
    expect(summarize(["up"]).headline).toBe("All systems operational");
    expect(summarize(["up", "paused"])).toMatchObject({ headline: "All systems operational", up: 1 });
    expect(summarize(["paused"]).headline).toBe("Nothing is watched now");
    expect(stateOfEndpoint({ last_status: "200", paused_by: "plan" })).toBe("paused");
  });

  it("never rounds a failure away", () => {
    expect(percent(99.999)).toBe("99.99 %");
    expect(percent(100)).toBe("100 %");
    expect(percent(null)).toBe("–");
  });

  it("writes latencies for people", () => {
    expect([latency(null), latency(42), latency(1450), latency(12_400)]).toEqual(["–", "42 ms", "1.4 s", "12 s"]);
    expect([median([]), median([5]), median([1, 9]), median([3, 1, 2])]).toEqual([null, 5, 5, 2]);
  });
});

describe("time", () => {
  it.each([
    [2, "just now"],
    [-45, "45 seconds ago"],
    [-300, "5 minutes ago"],
    [-7200, "2 hours ago"],
    [-86_400 * 3, "3 days ago"],
    [86_400, "in 24 hours"],
  ])("%i seconds from now is %s", (seconds, wanted) => {
    expect(relative(new Date(NOW.getTime() + seconds * 1000), NOW)).toBe(wanted);
  });

  it.each([
    [-3, "0 s"],
    [59, "59 s"],
    [3600, "1 h"],
    [7500, "2 h 5 min"],
    [90_000, "1 d 1 h"],
  ])("%i seconds last %s", (seconds, wanted) => {
    expect(duration(seconds)).toBe(wanted);
  });

  it("reads what it wrote into an input", () => {
    expect(fromInput(toInput(NOW))).toBe(NOW.toISOString());
  });
});

describe("chart", () => {
  it("fills the parts without a check", () => {
    const slots = slotsOf([bucket("2026-02-28T12:00:00Z"), bucket("2026-03-01T11:30:00Z")], "24h", NOW);
    expect(slots).toHaveLength(48);
    expect(slots.map((slot) => slot.bucket !== null).flatMap((has, index) => (has ? index : []))).toEqual([0, 47]);
    expect(slots[47]?.to).toEqual(NOW);
  });

  it("shows the newest part at the right edge while the clock moves on", () => {
    const later = new Date("2026-03-01T12:10:00Z");
    const slots = slotsOf([bucket("2026-02-28T12:05:00Z"), bucket("2026-03-01T12:05:00Z")], "24h", later);
    expect(slots[47]?.bucket?.at).toBe("2026-03-01T12:05:00Z");
  });

  it("has an empty period too", () => {
    expect(slotsOf([], "7d", NOW).every((slot) => healthOf(slot.bucket) === "none")).toBe(true);
  });

  it("tells whole failures from single ones", () => {
    expect(healthOf(bucket("x"))).toBe("up");
    expect(healthOf(bucket("x", { up: 1 }))).toBe("partial");
    expect(healthOf(bucket("x", { up: 0 }))).toBe("down");
  });

  it.each([
    [0, [0, 1]],
    [87, [0, 25, 50, 75, 100]],
    [900, [0, 250, 500, 750, 1000]],
  ])("has round steps up to %i", (most, wanted) => {
    const found = ticks(most);
    expect(found.at(-1)).toBeGreaterThanOrEqual(most);
    if (most > 0) expect(found).toEqual(wanted);
  });

  it("leaves gaps and keeps single points visible", () => {
    const [a, b, c] = [{ x: 0, y: 1 }, { x: 1, y: 2 }, { x: 3, y: 4 }];
    expect(linePath([a, b, null, c])).toBe("M0 1L1 2M3 4h0.01");
    expect(areaPath([a, b, null, c], 9)).toBe("M0 1L1 2L1 9L0 9Z");
  });
});

describe("forms", () => {
  it("asks for a name and an address first", () => {
    expect(Object.keys(problemsOf(NEW_ENDPOINT))).toEqual(["name", "url"]);
    expect(problemsOf({ ...NEW_ENDPOINT, name: "A", url: "https://example.com" })).toEqual({});
  });

  it.each([
    ["url", "ftp://example.com"],
    ["interval", "0"],
    ["interval", "1.5"],
    ["statuses", "20"],
    ["latency", "fast"],
    ["certificateDays", "366"],
  ])("refuses %s %s", (name, value) => {
    const draft = { ...NEW_ENDPOINT, name: "A", url: "https://example.com", [name]: value };
    expect(Object.keys(problemsOf(draft))).toEqual([name]);
  });

  it.each([
    ["", true],
    ["200", true],
    ["200-299, 401", true],
    ["299-200", false],
    ["200,", false],
    ["600", false],
  ])("knows lists of statuses: %s", (text, wanted) => {
    expect(areStatuses(text)).toBe(wanted);
  });

  it("sends nothing for an empty number", () => {
    expect(fieldsOf({ ...NEW_ENDPOINT, latency: " ", certificateDays: "14" })).toMatchObject({
      max_latency_ms: null,
      min_certificate_days: 14,
    });
  });

  it("names what a password lacks", () => {
    expect(passwordRules("short").filter((rule) => !rule.isMet)).toHaveLength(4);
    expect(passwordRules("Correct-horse-9").every((rule) => rule.isMet)).toBe(true);
  });
});

describe("errors", () => {
  it("reads the API's three shapes", () => {
    expect(errorOf(403, { error: { code: "email_unverified", message: "Please confirm." } })).toMatchObject({
      code: "email_unverified",
      message: "Please confirm.",
    });
    expect(errorOf(401, { detail: "Wrong user name or password." }).message).toBe("Wrong user name or password.");
    expect(errorOf(400, { url: ["Not this one.", "Nor this."] }).fields).toEqual({ url: "Not this one. Nor this." });
  });

  it("says how long to wait", () => {
    const body = { detail: "Request was throttled. Expected available in 1800 seconds." };
    expect(errorOf(429, body).message).toBe("Too many tries. Please wait 30 minutes.");
  });

  it("shows nobody a server's insides", () => {
    expect(errorOf(500, { detail: "KeyError: 'x'" }).message).toBe("The server has a problem. Please try again soon.");
    expect(errorOf(503, { error: { code: "x", message: "Payment is not set up." } }).message).toBe("Payment is not set up.");
    expect(errorOf(502, null).message).toBe("The server has a problem. Please try again soon.");
  });
});
