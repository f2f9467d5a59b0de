"""Figures in Prometheus' text format, counted over all tenants in one query each time they are asked for."""

from collections.abc import Iterator, Mapping

import redis
from django.conf import settings
from django.db import connection

from health import workers
from health.checks import broker
from tenants.models import Client

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# NOTE: a good check has a status of digits only; the original asked for "success", which no check ever stored.
COUNTS = """
SELECT count(*) FILTER (WHERE last_status ~ '^[0-9]+$' AND NOT is_paused),
    count(*) FILTER (WHERE last_status = 'pending' AND NOT is_paused), count(*) FILTER (WHERE is_paused), count(*),
    (SELECT count(*) FROM {schema}.monitors_incident WHERE resolved_at IS NULL),
    (SELECT count(*) FROM {schema}.monitors_alert WHERE state = 'pending'),
    (SELECT count(*) FROM {schema}.monitors_deadletter),
    (SELECT count(*) FROM {schema}.monitors_checkresult WHERE checked_at > now() - interval '1 hour')
FROM {schema}.monitors_endpoint"""
Samples = Mapping[tuple[tuple[str, str], ...], float]


def render() -> str:
    """Return all figures."""
    return "".join(_families())


def _families() -> Iterator[str]:
    schemas = list(Client.objects.exclude(schema_name="public").values_list("schema_name", flat=True))
    up, pending, paused, total, incidents, alerts, letters, checks = _counts(schemas)
    yield _family("build_info", "The release.", {(("version", settings.APP_VERSION),): 1})
    yield _family("tenants", "Organizations.", {(): len(schemas)})
    states = {"up": up, "pending": pending, "paused": paused, "down": total - up - pending - paused}
    yield _family(
        "endpoints", "Endpoints by their last check.", {(("state", state),): count for state, count in states.items()}
    )
    yield _family("incidents_open", "Incidents that last.", {(): incidents})
    yield _family("alerts_pending", "Alerts that have not arrived yet.", {(): alerts})
    yield _family("dead_letters", "Kinds of work that was given up.", {(): letters})
    yield _family("checks_last_hour", "Checks stored in the last hour.", {(): checks})
    try:
        living, waiting = workers.living(), broker().llen("celery")
    except redis.RedisError:
        yield _family("broker_up", "Whether the broker answers.", {(): 0})
        return
    yield _family("broker_up", "Whether the broker answers.", {(): 1})
    yield _family(
        "workers", "Workers that live.", {(("version", release),): count for release, count in living.items()}
    )
    yield _family("queue_length", "Tasks that wait for a worker.", {(): waiting})


def _counts(schemas: list[str]) -> tuple[int, ...]:
    if not schemas:
        return (0,) * 8
    quoted = [connection.ops.quote_name(schema) for schema in schemas]
    each = " UNION ALL ".join(COUNTS.format(schema=schema) for schema in quoted)
    sums = ", ".join(f"sum(c{column})" for column in range(1, 9))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sums} FROM ({each}) AS t(c1, c2, c3, c4, c5, c6, c7, c8)")  # noqa: S608 - names are quoted
        return tuple(int(value) for value in cursor.fetchone())


def _family(name: str, help_text: str, samples: Samples) -> str:
    lines = [f"# HELP statuswatch_{name} {help_text}", f"# TYPE statuswatch_{name} gauge"]
    lines += [f"statuswatch_{name}{_labels(labels)} {value:g}" for labels, value in samples.items()]
    return "\n".join(lines) + "\n"


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    shown = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{shown}}}" if shown else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
