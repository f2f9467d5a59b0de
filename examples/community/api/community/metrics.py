"""Figures for Prometheus, from a registry of this process."""

import time

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

router = APIRouter()
REQUESTS = Counter("community_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram("community_request_seconds", "Seconds until the answer was complete", ["method", "route"])
SOCKETS = Gauge("community_chat_sockets", "Open chat sockets")


@router.get("/metrics", include_in_schema=False)
def metrics() -> Response:
    """Everything counted since the start; not routed by the gateway."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


class Measured:
    """Counts each request under its route, never under its path: paths are endless."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            method, route = scope["method"], getattr(scope.get("route"), "path", "none")
            REQUESTS.labels(method, route, status).inc()
            SECONDS.labels(method, route).observe(time.perf_counter() - started)
