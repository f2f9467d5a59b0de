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
UPTIME_QUERY = f"""
SELECT count(*) FILTER (WHERE {UP}), count(*) FROM monitors_checkresult
WHERE endpoint_id = %s AND checked_at >= %s AND NOT in_maintenance"""  # noqa: S608

# NOTE: one short walk along the index for each endpoint; a window function would read a month of results of all.
RECENT_QUERY = """
SELECT endpoint.id, result.status, result.latency_ms, result.checked_at FROM monitors_endpoint endpoint
CROSS JOIN LATERAL (
    SELECT status, latency_ms, checked_at FROM monitors_checkresult
    WHERE endpoint_id = endpoint.id ORDER BY checked_at DESC LIMIT %s
) result"""


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


def buckets(endpoint: Endpoint, now: datetime, period: timedelta) -> list[Bucket]:
    """Return the period in at most 48 parts, oldest first; parts without a check are left out."""
    values = {"endpoint": endpoint.pk, "width": period / BUCKETS, "start": now - period, "end": now}
    with connection.cursor() as cursor:
        cursor.execute(BUCKET_QUERY, values)
        return [Bucket(*row) for row in cursor.fetchall()]


def uptime(endpoint: Endpoint, now: datetime) -> dict[str, float | None]:
    """Return the percentage of good checks of each period, None without a check. Maintenance does not count."""
    found: dict[str, float | None] = {}
    with connection.cursor() as cursor:
        for name, period in PERIODS.items():
            cursor.execute(UPTIME_QUERY, [endpoint.pk, now - period])
            good, total = cursor.fetchone()
            found[name] = round(100 * good / total, 3) if total else None
    return found
