"""The application, put together: the only place that knows all modules."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import anyio.to_thread
from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from cms import health, reference
from cms.admin import routes as admin
from cms.auth import routes as auth
from cms.auth.attempts import Attempts
from cms.complaints import routes as complaints
from cms.core.database import open_pool
from cms.core.settings import Settings, read_settings
from cms.headers import Guarded
from cms.reporting import routes as reporting

STATIC: Final = Path(os.environ.get("CMS_STATIC") or Path(__file__).parents[1] / "static")
THREADS: Final = 8  # requests at once; each of 5 connections to the database serves one


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the API; wrong settings raise before anything listens."""
    settings = settings or read_settings(os.environ)
    app = FastAPI(title="Complaints", version=settings.version, docs_url=None, redoc_url=None, lifespan=_lifespan)
    app.state.settings = settings
    app.state.attempts = Attempts()
    app.state.routes = []
    for part in (auth, complaints, reporting, admin, health, reference):
        app.include_router(part.router)
        app.state.routes += part.router.routes
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_api_route("/", lambda: FileResponse(STATIC / "index.html"), include_in_schema=False)
    app.add_middleware(Guarded, version=settings.version, is_secure=settings.is_secure)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    app.state.pool = open_pool(app.state.settings)
    try:
        yield
    finally:
        app.state.pool.close()
