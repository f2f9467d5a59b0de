import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import type { DeployMark, Period } from "../api/types";
import { areaPath, healthOf, linePath, ticks, type Point, type Slot } from "../lib/chart";
import { latency } from "../lib/status";
import { dateTime } from "../lib/time";

const HEIGHT = 240;
const EDGE = { top: 14, right: 8, bottom: 26, left: 52 };

interface Props {
  readonly slots: readonly Slot[];
  readonly deploys: readonly DeployMark[];
  readonly period: Period;
}

/** Mean and 95th percentile over a period, failures shaded, deploys flagged; the arrow keys walk through it. */
export function LatencyChart({ slots, deploys, period }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const [at, setAt] = useState<number | null>(null);
  const plot = { left: EDGE.left, right: Math.max(width - EDGE.right, EDGE.left + 10), top: EDGE.top, bottom: HEIGHT - EDGE.bottom };
  const most = Math.max(0, ...slots.map((slot) => slot.bucket?.latency_p95_ms ?? slot.bucket?.latency_avg_ms ?? 0));
  const steps = ticks(most);
  const top = steps.at(-1) ?? 1;
  const step = (plot.right - plot.left) / slots.length;
  const x = (index: number): number => plot.left + (index + 0.5) * step;
  const y = (ms: number): number => plot.bottom - (ms / top) * (plot.bottom - plot.top);
  const line = (read: (slot: Slot) => number | null | undefined): (Point | null)[] =>
    slots.map((slot, index) => {
      const value = read(slot);
      return value === null || value === undefined ? null : { x: x(index), y: y(value) };
    });
  const mean = line((slot) => slot.bucket?.latency_avg_ms);
  const first = slots[0]?.from.getTime() ?? 0;
  const last = slots.at(-1)?.to.getTime() ?? 1;
  const shown = at === null ? undefined : slots[at];

  const point = (event: PointerEvent<SVGSVGElement>): void => {
    const place = event.clientX - event.currentTarget.getBoundingClientRect().left;
    setAt(clamp(Math.floor((place - plot.left) / step), slots.length));
  };
  const walk = (event: KeyboardEvent<HTMLDivElement>): void => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    setAt((old) => clamp((old ?? slots.length) + by, slots.length));
  };

  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- the arrow keys read it out
    <div
      className="chart"
      ref={box}
      role="group"
      aria-label="Latency chart; the left and right arrow keys read single times"
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- see above
      tabIndex={0}
      onKeyDown={walk}
      onBlur={() => setAt(null)}
    >
      <svg viewBox={`0 0 ${Math.max(width, 1)} ${HEIGHT}`} height={HEIGHT} onPointerMove={point} onPointerLeave={() => setAt(null)} aria-hidden="true">
        {steps.map((value) => (
          <g key={value}>
            <line className="grid" x1={plot.left} x2={plot.right} y1={y(value)} y2={y(value)} />
            <text x={plot.left - 10} y={y(value) + 4} textAnchor="end">{value === 0 ? "0" : latency(value)}</text>
          </g>
        ))}
        {slots.map((slot, index) =>
          ["down", "partial"].includes(healthOf(slot.bucket)) ? (
            <rect key={index} className="fault" x={x(index) - step / 2} y={plot.top} width={step} height={plot.bottom - plot.top} />
          ) : null,
        )}
        {labelsOf(slots, width).map((index) => (
          <text key={index} x={x(index)} y={HEIGHT - 6} textAnchor="middle">{clock(slots[index], period)}</text>
        ))}
        <path className="area" d={areaPath(mean, plot.bottom)} />
        <path className="p95" d={linePath(line((slot) => slot.bucket?.latency_p95_ms))} />
        <path className="mean" d={linePath(mean)} />
        {deploys.map((mark) => {
          const share = (new Date(mark.marked_at).getTime() - first) / (last - first);
          if (share < 0 || share > 1) return null;
          const place = plot.left + share * (plot.right - plot.left);
          return (
            <g key={mark.id}>
              <line className="mark" x1={place} x2={place} y1={plot.top - 8} y2={plot.bottom} />
              <path className="mark-flag" d={`M${place} ${plot.top - 10}h9l-3 4 3 4h-9Z`}>
                <title>{`${dateTime(mark.marked_at)}: ${mark.name} ${mark.version}`}</title>
              </path>
            </g>
          );
        })}
        {shown === undefined || at === null ? null : (
          <g>
            <line className="cursor" x1={x(at)} x2={x(at)} y1={plot.top} y2={plot.bottom} />
            {mean[at] ? <circle className="spot" cx={x(at)} cy={mean[at].y} r="5" /> : null}
          </g>
        )}
      </svg>
      <p className="hidden" aria-live="polite">{shown === undefined ? "" : told(shown)}</p>
      {shown === undefined || at === null ? null : <Tooltip x={clampTo(x(at), 100, width - 100)} slot={shown} />}
    </div>
  );
}

function Tooltip({ x, slot }: { x: number; slot: Slot }) {
  const tip = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // NOTE: a style attribute in the markup would be refused by the content security policy.
    if (tip.current !== null) tip.current.style.left = `${x}px`;
  }, [x]);
  const { bucket } = slot;
  return (
    <div className="tooltip" ref={tip} aria-hidden="true">
      <b>{dateTime(slot.from)}</b>
      {bucket === null ? (
        <div>no checks</div>
      ) : (
        <>
          <div>mean {latency(bucket.latency_avg_ms)}, p95 {latency(bucket.latency_p95_ms)}</div>
          <div>{bucket.up} of {bucket.checks} checks good</div>
        </>
      )}
    </div>
  );
}

function told({ from, bucket }: Slot): string {
  if (bucket === null) return `${dateTime(from)}: no checks`;
  return `${dateTime(from)}: mean ${latency(bucket.latency_avg_ms)}, ${bucket.up} of ${bucket.checks} checks good`;
}

function labelsOf(slots: readonly Slot[], width: number): number[] {
  const count = width < 480 ? 3 : 6;
  return Array.from({ length: count }, (_, index) => Math.floor(((index + 0.5) * slots.length) / count));
}

function clock(slot: Slot | undefined, period: Period): string {
  if (slot === undefined) return "";
  return period === "24h"
    ? slot.from.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
    : slot.from.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
}

function useWidth(box: React.RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (box.current === null) return undefined;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry?.contentRect.width ?? 0)));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [box]);
  return width;
}

function clamp(index: number, length: number): number {
  return Math.min(Math.max(index, 0), length - 1);
}

function clampTo(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), Math.max(most, least));
}
