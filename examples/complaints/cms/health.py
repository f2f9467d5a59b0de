"""Whether the process lives, whether it may be given requests, and which release it is."""

import logging

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from cms.core import schema
from cms.core.database import Here, Pool

router = APIRouter(tags=["health"])
log = logging.getLogger("cms.health")


class Readiness(BaseModel):
    """What is good and what is not."""

    status: str
    database: str
    migrations: str
    version: str


@router.get("/health/live")
def live() -> dict[str, str]:
    """The process answers; says nothing about its database."""
    return {"status": "alive"}


@router.get("/health/ready")
def ready(request: Request, response: Response, settings: Here) -> Readiness:
    """Database and schema are good, or 503."""
    database, migrations = _checked(request.app.state.pool)
    is_good = database == migrations == "ok"
    response.status_code = 200 if is_good else 503
    status = "healthy" if is_good else "unhealthy"
    return Readiness(status=status, database=database, migrations=migrations, version=settings.version)


@router.get("/version")
def version(settings: Here) -> dict[str, str]:
    """Which release this is, and whose."""
    return {"version": settings.version, "client": settings.client, "environment": settings.environment}


def _checked(pool: Pool) -> tuple[str, str]:
    try:
        with pool.connection() as connection:
            return "ok", schema.problem_or_none(connection) or "ok"
    except schema.MigrationFailed as exc:
        return "ok", str(exc)
    except Exception as exc:  # whatever it is, the answer is "not ready"; the reason goes to the log only
        log.warning("database is not ready: %s", exc)
        return type(exc).__name__, "unknown"
