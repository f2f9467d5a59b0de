"""The application, put together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.concurrency import run_in_threadpool

from community import accounts, chat, health, metrics, posts, schema
from community.context import open_outside
from community.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the API; wrong settings raise before anything listens."""
    settings = settings or Settings()
    docs = "/api/docs" if settings.app_env == "dev" else None
    app = FastAPI(
        title="Community",
        version=settings.app_version,
        docs_url=docs,
        redoc_url=None,
        openapi_url="/api/openapi.json" if docs else None,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    for part in (accounts, posts, chat, health, metrics):
        app.include_router(part.router)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["Authorization", "Content-Type"],
    )
    app.add_middleware(metrics.Measured)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    await run_in_threadpool(schema.prepare, settings)
    outside = open_outside(settings)
    app.state.outside, app.state.room = outside, chat.Room(outside)
    if settings.dev_bootstrap_root:
        async with outside.sessions.begin() as session:
            await accounts.bootstrap_root(session, settings)
    listening = asyncio.create_task(app.state.room.listen())
    try:
        yield
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
        await outside.close()
