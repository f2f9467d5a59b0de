import type { Bucket, Period } from "../api/types";

export const SLOTS = 48; // as many parts as the API makes of a period
const HOUR = 3_600_000;
export const PERIOD_MS: Readonly<Record<Period, number>> = { "24h": 24 * HOUR, "7d": 168 * HOUR, "30d": 720 * HOUR };

export interface Slot {
  readonly from: Date;
  readonly to: Date;
  readonly bucket: Bucket | null;
}

/** The whole period, oldest first; the API leaves out parts without a check. */
export function slotsOf(buckets: readonly Bucket[], period: Period, now: Date): Slot[] {
  const width = PERIOD_MS[period] / SLOTS;
  const anchor = new Date(buckets[0]?.at ?? now).getTime();
  const last = Math.max(now.getTime(), new Date(buckets.at(-1)?.at ?? now).getTime() + 1);
  const end = anchor + Math.ceil((last - anchor) / width) * width;
  const start = end - SLOTS * width;
  const slots: (Bucket | null)[] = Array.from({ length: SLOTS }, () => null);
  for (const bucket of buckets) {
    const index = Math.round((new Date(bucket.at).getTime() - start) / width);
    if (index >= 0 && index < SLOTS) slots[index] = bucket;
  }
  return slots.map((bucket, index) => ({
    from: new Date(start + index * width),
    to: new Date(start + (index + 1) * width),
    bucket,
  }));
}

export type Health = "up" | "partial" | "down" | "none";

export function healthOf(bucket: Bucket | null): Health {
  if (bucket === null || bucket.checks === 0) return "none";
  if (bucket.up === bucket.checks) return "up";
  return bucket.up === 0 ? "down" : "partial";
}

/** Round numbers from 0 to at least `most`, three to six of them. */
export function ticks(most: number): number[] {
  const raw = Math.max(most, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= raw) ?? 10 * power;
  return Array.from({ length: Math.ceil(Math.max(most, 1) / step) + 1 }, (_, index) => index * step);
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Lines through the points; a gap where there is none. A point alone becomes a short stroke. */
export function linePath(points: readonly (Point | null)[]): string {
  let path = "";
  let previous: Point | null = null;
  points.forEach((point, index) => {
    if (point !== null) {
      path += `${previous === null ? "M" : "L"}${fixed(point.x)} ${fixed(point.y)}`;
      if (previous === null && (points[index + 1] ?? null) === null) path += `h0.01`;
    }
    previous = point;
  });
  return path;
}

/** The same, closed down to the base line. */
export function areaPath(points: readonly (Point | null)[], base: number): string {
  const runs: Point[][] = [];
  let run: Point[] | null = null;
  for (const point of points) {
    if (point === null) run = null;
    else if (run === null) runs.push((run = [point]));
    else run.push(point);
  }
  return runs
    .filter((found) => found.length > 1)
    .map((found) => {
      const [first, last] = [found[0], found.at(-1)];
      if (first === undefined || last === undefined) return "";
      return `${linePath(found)}L${fixed(last.x)} ${base}L${fixed(first.x)} ${base}Z`;
    })
    .join("");
}

function fixed(value: number): string {
  return String(Math.round(value * 10) / 10);
}
