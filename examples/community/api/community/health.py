"""Whether the process lives, and whether it may be given requests."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import text

from community import schema
from community.context import Here, Outside

router = APIRouter()
log = logging.getLogger("community.health")
LIMIT_SECONDS = 5.0


@router.get("/health/live")
def live() -> dict[str, str]:
    """The process answers; says nothing about its neighbours."""
    return {"status": "alive"}


@router.get("/health")
@router.get("/health/ready")
async def ready(outside: Here, response: Response) -> dict[str, Any]:
    """Database, schema and Redis are good; 503 with the names of those that are not."""
    checks = await _checks(outside)
    is_good = all(found == "ok" for found in checks.values())
    response.status_code = 200 if is_good else 503
    return {
        "status": "healthy" if is_good else "unhealthy",
        "checks": checks,
        "version": outside.settings.app_version,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@router.get("/api/version")
def version(outside: Here) -> dict[str, str]:
    """Which build this is, and where it runs."""
    return {"version": outside.settings.app_version, "environment": outside.settings.app_env}


async def _checks(outside: Outside) -> dict[str, str]:
    (database, tables), redis = await asyncio.gather(_database(outside), _redis(outside))
    return {"database": database, "schema": tables, "redis": redis}


async def _database(outside: Outside) -> tuple[str, str]:
    try:
        async with asyncio.timeout(LIMIT_SECONDS), outside.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            return "ok", await schema.problem_or_none(connection) or "ok"
    except Exception as exc:  # whatever it is, the answer is "not ready"
        return _failed("database", exc), "unknown"


async def _redis(outside: Outside) -> str:
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            await outside.redis.ping()
    except Exception as exc:
        return _failed("redis", exc)
    return "ok"


def _failed(what: str, exc: Exception) -> str:
    """The reason goes to the log; outside only the kind of error is told."""
    log.warning("%s is not ready: %s", what, exc)
    return type(exc).__name__
