"""One HTTP check: a GET to a vetted address, no redirect followed, the body not read."""

import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import SplitResult

from django.conf import settings

from monitors import target

NETWORK_ERROR = "network-error"
BLOCKED = "blocked"
_TLS = ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found."""

    status: str  # "200", "error:503", "network-error" or "blocked"
    latency_ms: int | None = None

    @property
    def is_worth_a_retry(self) -> bool:
        """Only a network error may be a hiccup; an HTTP error is an answer."""
        return self.status == NETWORK_ERROR


def probe(url: str) -> Outcome:
    """Check a URL."""
    try:
        parts = target.parse_url(url)
        address = target.resolve(parts)
    except target.TargetRefused:
        return Outcome(BLOCKED)
    except target.NameUnknown:
        return Outcome(NETWORK_ERROR)
    started = time.monotonic()
    try:
        code = _get_status(parts, address)
    except (OSError, http.client.HTTPException):
        return Outcome(NETWORK_ERROR)
    latency_ms = round((time.monotonic() - started) * 1000)
    return Outcome(str(code) if code < 400 else f"error:{code}", latency_ms)


def _get_status(parts: SplitResult, address: str) -> int:
    connection = _connect(parts, address)
    try:
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request("GET", path, headers={"User-Agent": "StatusWatch", "Connection": "close"})
        return connection.getresponse().status
    finally:
        connection.close()


def _connect(parts: SplitResult, address: str) -> http.client.HTTPConnection:
    """Open a connection to the vetted address; Host header, SNI and certificate keep the name."""
    host = parts.hostname or ""
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, parts.port, timeout=settings.CHECK_TIMEOUT_SECONDS)
    connection.sock = socket.create_connection((address, connection.port), settings.CHECK_TIMEOUT_SECONDS)
    if parts.scheme == "https":
        connection.sock = _TLS.wrap_socket(connection.sock, server_hostname=host)
    return connection
