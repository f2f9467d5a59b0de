"""Log lines for programs and for people, each with its request and without secrets."""

import json
import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from uuid import uuid4

from django.db import connection
from django.http import HttpRequest, HttpResponse

from shared.redaction import redact

QUIET_PATHS = ("/health", "/metrics", "/version", "/static/", "/debug/")
LONGEST_ID = 64
request_id: ContextVar[str] = ContextVar("request_id", default="")
logger = logging.getLogger("statuswatch.request")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields: dict[str, object] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
            "tenant": getattr(connection, "schema_name", ""),
            **getattr(record, "fields", {}),
        }
        if request_id.get():
            fields["request_id"] = request_id.get()
        if record.exc_info:
            fields["error"] = redact(self.formatException(record.exc_info))
        return json.dumps(fields, default=str)


class LineFormatter(logging.Formatter):
    """One line for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return redact(super().format(record))


class RequestLog:
    """Give each request an id, answer it as X-Request-ID, and write one line when it is done."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.monotonic()
        chosen = request_id.set(_given_or_new(request))
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = request_id.get()
            if not request.path.startswith(QUIET_PATHS):
                _write(request, response, time.monotonic() - started)
        finally:
            request_id.reset(chosen)
        return response


def _write(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    tenant = getattr(request, "tenant", None)
    user = getattr(request, "user", None)
    fields = {
        "method": request.method,
        "path": request.path,  # without the query, where tokens lie
        "status": response.status_code,
        "duration_ms": round(seconds * 1000),
        "tenant": getattr(tenant, "schema_name", "public"),
        "user": getattr(user, "pk", None),
    }
    level = logging.ERROR if response.status_code >= 500 else logging.INFO
    logger.log(level, "%(method)s %(path)s %(status)s %(duration_ms)s ms", fields, extra={"fields": fields})


def _given_or_new(request: HttpRequest) -> str:
    given = request.headers.get("X-Request-ID", "")
    return given if 0 < len(given) <= LONGEST_ID and given.replace("-", "").isalnum() else uuid4().hex
