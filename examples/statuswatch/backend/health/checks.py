"""The single checks; each returns "ok" or what is wrong, never a secret."""

import logging
from collections.abc import Callable
from functools import cache

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader

from health import workers

logger = logging.getLogger(__name__)
BROKER_TIMEOUT_SECONDS = 2


def check_database() -> str:
    """Ask the database for a row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def check_broker() -> str:
    """Ping the broker."""
    broker().ping()
    return "ok"


def check_workers() -> str:
    """Ask for a living worker."""
    return "ok" if workers.living() else "no worker"


def check_migrations() -> str:
    """Compare this release's migrations with every schema. A schema that is ahead is fine: it serves two releases."""
    known = _known_migrations()
    behind = {schema: known - applied for schema, applied in _applied_migrations().items() if known - applied}
    if not behind:
        return "ok"
    schema, missing = next(iter(behind.items()))
    return f"{len(behind)} schema(s) behind; {schema} lacks {len(missing)}, first {'.'.join(min(missing))}"


def run_checks(*checks: Callable[[], str]) -> dict[str, str]:
    """Run each check; one that raises is reported by the kind of its error."""
    return {check.__name__.removeprefix("check_"): _run(check) for check in checks}


def _run(check: Callable[[], str]) -> str:
    try:
        return check()
    except (DatabaseError, redis.RedisError, OSError) as exc:
        logger.warning("%s failed: %s", check.__name__, exc)
        return f"error: {type(exc).__name__}"


@cache
def broker() -> redis.Redis:
    """Return a connection to the broker."""
    return redis.Redis.from_url(
        settings.CELERY_BROKER_URL,
        socket_timeout=BROKER_TIMEOUT_SECONDS,
        socket_connect_timeout=BROKER_TIMEOUT_SECONDS,
    )


@cache
def _known_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations)


def _applied_migrations() -> dict[str, set[tuple[str, str]]]:
    """Return what each schema has applied; django-tenants records every app's migrations in every schema."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT schema_name FROM public.tenants_client UNION SELECT 'public'")
        applied: dict[str, set[tuple[str, str]]] = {schema: set() for (schema,) in cursor.fetchall()}
        for schema in applied:
            table = f"{connection.ops.quote_name(schema)}.django_migrations"
            cursor.execute(f"SELECT app, name FROM {table}")  # noqa: S608 - the name is quoted
            applied[schema] = set(cursor.fetchall())
    return applied
