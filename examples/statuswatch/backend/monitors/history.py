"""Latency over time and uptime, counted in the database."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection

from monitors.models import Endpoint

BUCKETS = 48
PERIODS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
UP = "status ~ '^[0-9]+$'"
BUCKET_QUERY = f"""
SELECT date_bin(%(width)s, checked_at, %(start)s) AS at, count(*), count(*) FILTER (WHERE {UP}),
    round(avg(latency_ms) FILTER (WHERE {UP}))::int,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE {UP}))::int
FROM monitors_checkresult
WHERE endpoint_id = %(endpoint)s AND checked_at >= %(start)s AND checked_at < %(end)s AND NOT in_maintenance
GROUP BY at ORDER BY at"""  # noqa: S608 - the only thing put in is a constant
COUNT = "count(*) FILTER (WHERE checked_at >= %({name})s), count(*) FILTER (WHERE checked_at >= %({name})s AND {up})"
UPTIME_QUERY = f"""
SELECT {", ".join(COUNT.format(name=name, up=UP) for name in PERIODS)} FROM monitors_checkresult
WHERE endpoint_id = %(endpoint)s AND checked_at >= %(start)s AND NOT in_maintenance"""  # noqa: S608

# NOTE: one short walk along the index for each endpoint; a window function would read a month of results of all.
RECENT_QUERY = """
SELECT endpoint.id, result.status, result.latency_ms, result.checked_at FROM monitors_endpoint endpoint
CROSS JOIN LATERAL (
    SELECT status, latency_ms, checked_at FROM monitors_checkresult
    WHERE endpoint_id = endpoint.id ORDER BY checked_at DESC LIMIT %s
) result"""

# The database writes the JSON: forty results of a thousand endpoints are no work for Python.
TOLD_QUERY = f"""
SELECT endpoint.id, told.results, told.good, told.total FROM monitors_endpoint endpoint
CROSS JOIN LATERAL (
    SELECT json_agg(newest ORDER BY at)::text results, count(*) FILTER (WHERE is_up) good, count(*) total
    FROM (
        SELECT checked_at AS at, {UP} AS is_up, latency_ms FROM monitors_checkresult
        WHERE endpoint_id = endpoint.id ORDER BY checked_at DESC LIMIT %s
    ) newest
) told WHERE told.total > 0"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Result:
    """One check as it is shown."""

    status: str
    latency_ms: int | None
    checked_at: datetime

    @property
    def is_up(self) -> bool:
        """Whether it got an answer as it should be."""
        return self.status.isdecimal()


@dataclass(frozen=True, slots=True)
class Told:
    """The last results of an endpoint, for programs."""

    results: str = "[]"  # JSON, oldest first
    good: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Bucket:
    """Some minutes or hours of checks."""

    at: datetime
    checks: int
    up: int
    latency_avg_ms: int | None
    latency_p95_ms: int | None


def recent(count: int) -> dict[UUID, list[Result]]:
    """Return the last results of every endpoint, newest first."""
    found: dict[UUID, list[Result]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(RECENT_QUERY, [count])
        for endpoint_id, *columns in cursor.fetchall():
            found[endpoint_id].append(Result(*columns))
    return found


def told(count: int) -> dict[UUID, Told]:
    """Return the last results of every endpoint that has some, as JSON."""
    with connection.cursor() as cursor:
        cursor.execute(TOLD_QUERY, [count])
        return {endpoint_id: Told(*columns) for endpoint_id, *columns in cursor.fetchall()}


def share(good: int, total: int) -> str:
    """Return how many of some results were good, for people."""
    return f"{100 * good / total:.0f} %" if total else "-"


def buckets(endpoint: Endpoint, now: datetime, period: timedelta) -> list[Bucket]:
    """Return the period in at most 48 parts, oldest first; parts without a check are left out."""
    values = {"endpoint": endpoint.pk, "width": period / BUCKETS, "start": now - period, "end": now}
    with connection.cursor() as cursor:
        cursor.execute(BUCKET_QUERY, values)
        return [Bucket(*row) for row in cursor.fetchall()]


def uptime(endpoint: Endpoint, now: datetime) -> dict[str, float | None]:
    """Return the percentage of good checks of each period, None without a check. Maintenance does not count."""
    starts = {name: now - period for name, period in PERIODS.items()}
    with connection.cursor() as cursor:
        cursor.execute(UPTIME_QUERY, {"endpoint": endpoint.pk, "start": min(starts.values()), **starts})
        counts = cursor.fetchone()
    totals = zip(PERIODS, counts[::2], counts[1::2], strict=True)
    return {name: round(100 * good / total, 3) if total else None for name, total, good in totals}
