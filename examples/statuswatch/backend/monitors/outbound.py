"""HTTP to addresses that users name: to a vetted address, no redirect followed, all of it within one time limit."""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import SplitResult

from monitors import target
from monitors.conditions import Answer

LONGEST_BODY_BYTES = 1 << 20
_TLS = ssl.create_default_context()


class NotReached(Exception):
    """No answer: the name, the connection, TLS or the time failed."""


def ask(
    method: str,
    url: str,
    *,
    seconds: float,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    wants_body: bool = False,
) -> Answer:
    """Return the answer; raise TargetRefused for an address that may not be asked, NotReached without an answer."""
    parts = target.parse_url(url)
    try:
        address = target.resolve(parts)
    except target.NameUnknown as exc:
        raise NotReached(str(exc)) from exc
    started = time.monotonic()
    try:
        with _connected(parts, address, seconds) as connection:
            expires_at = _expiry_or_none(connection.sock)  # before the answer, which lets go of the socket
            path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
            names = {"User-Agent": "StatusWatch", "Connection": "close", **(headers or {})}
            connection.request(method, path, body=body, headers=names)
            with connection.getresponse() as response:
                found = response.read(LONGEST_BODY_BYTES) if wants_body else b""
    except (OSError, ValueError, http.client.HTTPException) as exc:
        raise NotReached(type(exc).__name__) from exc
    return Answer(response.status, round((time.monotonic() - started) * 1000), found, expires_at)


@contextlib.contextmanager
def _connected(parts: SplitResult, address: str, seconds: float) -> Iterator[http.client.HTTPConnection]:
    """Connect to the vetted address; Host header, SNI and certificate keep the name.

    A socket's own timeout counts anew with each byte, so that a server which drips would hold a worker for hours. A
    timer ends the whole exchange, through a second handle on the socket that TLS knows nothing of.
    """
    host = parts.hostname or ""
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, parts.port, timeout=seconds)
    deadline = time.monotonic() + seconds
    plain = socket.create_connection((address, connection.port), seconds)
    with plain.dup() as handle:
        timer = threading.Timer(max(0.0, deadline - time.monotonic()), _end, [handle])
        timer.daemon = True
        timer.start()
        connection.sock = plain
        try:
            if parts.scheme == "https":
                connection.sock = _TLS.wrap_socket(plain, server_hostname=host)
            yield connection
        finally:
            timer.cancel()
            connection.close()
            timer.join()


def _end(handle: socket.socket) -> None:
    with contextlib.suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


def _expiry_or_none(sock: object) -> datetime | None:
    if not isinstance(sock, ssl.SSLSocket):
        return None
    certificate = sock.getpeercert() or {}
    expires = certificate.get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(expires)), UTC) if expires else None
