import type { RecentCheck } from "../api/types";
import { healthOf, type Slot } from "../lib/chart";
import { latency } from "../lib/status";
import { dateTime } from "../lib/time";

const SHOWN = 40;

/** The last checks, oldest first: green for good, red and full for bad; grey where there was none yet. */
export function RecentBars({ recent, shown = SHOWN }: { recent: readonly RecentCheck[]; shown?: number }) {
  const checks = recent.slice(-shown);
  const slowest = Math.max(1, ...checks.map((check) => check.latency_ms ?? 0));
  const bad = checks.filter((check) => !check.is_up).length;
  const label =
    checks.length === 0 ? "No checks yet" : `Last ${checks.length} checks: ${bad === 0 ? "all good" : `${bad} failed`}`;
  return (
    <svg className="bars" viewBox={`0 0 ${shown * 6} 30`} preserveAspectRatio="none" role="img" aria-label={label}>
      {Array.from({ length: shown }, (_, place) => {
        const check = checks[place - (shown - checks.length)];
        const height = check === undefined ? 8 : check.is_up ? 10 + 20 * ((check.latency_ms ?? 0) / slowest) : 30;
        const kind = check === undefined ? "none" : check.is_up ? "up" : "down";
        return (
          <rect key={place} className={kind} x={place * 6} y={30 - height} width="4" height={height} rx="1.5">
            {check === undefined ? null : (
              <title>{`${dateTime(check.at)}: ${check.is_up ? latency(check.latency_ms) : "failed"}`}</title>
            )}
          </rect>
        );
      })}
    </svg>
  );
}

/** A period in parts: what share of the checks of each was good. */
export function UptimeBars({ slots }: { slots: readonly Slot[] }) {
  const known = slots.filter((slot) => healthOf(slot.bucket) !== "none");
  const bad = known.filter((slot) => healthOf(slot.bucket) !== "up").length;
  const label = known.length === 0 ? "No checks yet" : `${bad} of ${known.length} parts of the period had failures`;
  return (
    <svg className="bars" viewBox={`0 0 ${slots.length * 6} 30`} preserveAspectRatio="none" role="img" aria-label={label}>
      {slots.map((slot, place) => (
        <rect key={slot.from.getTime()} className={healthOf(slot.bucket)} x={place * 6} y="0" width="4.5" height="30" rx="1.5">
          <title>{`${dateTime(slot.from)}: ${told(slot)}`}</title>
        </rect>
      ))}
    </svg>
  );
}

function told({ bucket }: Slot): string {
  return bucket === null ? "no checks" : `${bucket.up} of ${bucket.checks} checks good`;
}
