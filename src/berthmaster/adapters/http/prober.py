"""Asks one question over one connection of its own, as a load balancer would.

No redirect is followed (a redirect to HTTPS is a finding, not a success), no connection is reused
(a probe after a switch must not talk to the old release) and no more than 64 KiB are read.
"""

import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from berthmaster.domain.probing import Certificate, Fetch, Fetched, Probe, ProbeResult, judge

if TYPE_CHECKING:
    import aiohttp

MARK_HEADER: Final = "X-Berth-Probe"  # asks the router to name the release that answers
RELEASE_HEADER: Final = "X-Berth-Release"
READ_BYTES: Final = 64 * 1024
EXCERPT_CHARACTERS: Final = 200
_REDIRECTS: Final = range(300, 400)


class AiohttpProber:
    """`ports.prober.Prober` over aiohttp, with a fresh connection for each probe."""

    async def probe(self, probe: Probe) -> ProbeResult:
        import aiohttp

        from berthmaster.adapters.http import errors

        started = time.monotonic()
        try:
            return await _ask(probe, started)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
            return ProbeResult(
                status=None,
                is_good=False,
                seconds=time.monotonic() - started,
                error=errors.describe(exc, probe),
                refused=errors.is_refused(exc),
            )

    async def fetch(self, wanted: Fetch) -> Fetched:
        import aiohttp

        from berthmaster.adapters.http import errors

        asked = Probe(
            wanted.address,
            wanted.port,
            wanted.path,
            wanted.host,
            timeout_seconds=wanted.timeout_seconds,
            forwarded_proto=wanted.forwarded_proto,
            method="GET" if wanted.sends is None else "POST",
            sends={} if wanted.sends is None else {"Content-Type": "application/json"},
        )
        try:
            async with _answered(asked, wanted.token, wanted.sends) as answer:
                body = await _read(answer, wanted.most_bytes + 1)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
            return Fetched(None, error=errors.describe(exc, asked))
        if len(body) > wanted.most_bytes:
            return Fetched(None, error=f"the answer is longer than {wanted.most_bytes} bytes")
        return Fetched(answer.status, body.decode(errors="replace"))

    async def certificate(
        self, address: str, port: int, host: str, *, timeout_seconds: float
    ) -> Certificate:
        from berthmaster.adapters.http.certificate import read_certificate

        return await read_certificate(address, port, host, timeout_seconds)


async def _ask(probe: Probe, started: float) -> ProbeResult:
    async with _answered(probe) as answer:
        body = await _read(answer, READ_BYTES)
        return _judge(probe, answer, body, time.monotonic() - started)


@asynccontextmanager
async def _answered(
    probe: Probe, token: str = "", sends: str | None = None
) -> "AsyncIterator[aiohttp.ClientResponse]":
    import aiohttp
    from yarl import URL

    scheme = "https" if probe.is_tls else "http"
    address = f"[{probe.address}]" if ":" in probe.address else probe.address
    url = URL(f"{scheme}://{address}:{probe.port}{probe.path}", encoded=True)
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=1),
            timeout=aiohttp.ClientTimeout(total=probe.timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
        ) as session,
        session.request(
            probe.method,
            url,
            headers=_headers(probe, token),
            data=sends,
            allow_redirects=False,
            ssl=_tls(probe) if probe.is_tls else True,
            server_hostname=_plain_host(probe.host) if probe.is_tls else None,
        ) as answer,
    ):
        yield answer


def _headers(probe: Probe, token: str) -> dict[str, str]:
    headers = {"User-Agent": "berthmaster-probe", "Accept": "*/*", **probe.sends}
    headers["Host"] = probe.host
    if probe.marks_release:
        headers[MARK_HEADER] = "1"
    if probe.forwarded_proto:
        headers["X-Forwarded-Proto"] = probe.forwarded_proto
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _tls(probe: Probe) -> ssl.SSLContext:
    """Certificates count except on loopback: the edge may use a local CA or wait for ACME."""
    is_checked = probe.checks_certificate and not ip_address(probe.address).is_loopback
    return ssl.create_default_context() if is_checked else _unchecked()


@cache
def _unchecked() -> ssl.SSLContext:
    """Reads no authorities, which takes longer than the question."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _plain_host(host: str) -> str:
    return host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host


async def _read(answer: "aiohttp.ClientResponse", most: int) -> bytes:
    body = bytearray()
    while len(body) < most and (chunk := await answer.content.read(most - len(body))):
        body += chunk
    return bytes(body)


def _judge(
    probe: Probe, answer: "aiohttp.ClientResponse", body: bytes, seconds: float
) -> ProbeResult:
    text = body.decode(errors="replace")
    location = answer.headers.get("Location") if answer.status in _REDIRECTS else None
    error = judge(probe, answer.status, location, text, answer.headers, seconds)
    return ProbeResult(
        status=answer.status,
        is_good=not error,
        seconds=seconds,
        error=error,
        location=location,
        release=answer.headers.get(RELEASE_HEADER),
        excerpt=text[:EXCERPT_CHARACTERS].strip() if error else "",
        body=text if probe.keeps_body else "",
        media_type=answer.content_type,
    )
