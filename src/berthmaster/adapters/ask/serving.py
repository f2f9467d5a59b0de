"""The responder's sockets: one for the edge on loopback, one for Berthmaster in the gateway's run.

HTTP/1.1 by hand: `GET /ask?domain=NAME` answers 200 or 403 with the reason, `GET /state` what was
counted. Every new decision is one line of JSON on standard output.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from berthmaster.adapters.ask.budget import Budget, Limits
from berthmaster.adapters.ask.deciding import Decider, Decision
from berthmaster.adapters.ask.suffixes import Suffixes
from berthmaster.adapters.ask.table import AppQuestion, Table

APP_SECONDS: Final = 3.0
BIND_SECONDS: Final = 20.0  # the port may still be another's that is about to end
REPEAT_SECONDS: Final = 60.0  # the same word about the same name is logged once in this time
LONGEST_REQUEST: Final = 8192
_ANSWERS: Final = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found"}


class Responder:
    """Everything of one run."""

    def __init__(
        self, gateway: Path, entrypoints: frozenset[str], limits: Limits | None = None
    ) -> None:
        self.gateway, self.folder = gateway, gateway / "ask"
        certificates = Certificates(gateway / "caddy/data/certificates")
        listed = self.folder / "public_suffix_list.dat"
        lines = listed.read_text().splitlines() if listed.exists() else ()
        budget = Budget(
            self.folder / "orders", certificates.has, Suffixes(lines).registered, limits
        )
        budget.compact(time.time())
        hosts, apps = gateway / "haproxy/maps/hosts.map", self.folder / "apps.json"
        table = Table(hosts, apps, entrypoints)
        self.decider = Decider(table, budget, certificates.has, self.ask_app)
        self.started_at = time.time()
        self._said: dict[str, tuple[str, float]] = {}

    async def ask_app(self, app: AppQuestion, name: str) -> bool | None:
        """What the live release says of a name, through the router; None when it says nothing."""
        socket = self.gateway / f"run/edge-{app.entrypoint}.sock"
        try:
            async with asyncio.timeout(APP_SECONDS):
                reader, writer = await asyncio.open_unix_connection(str(socket))
                try:
                    writer.write(_question(app, name))
                    words = (await reader.readline()).split()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return None
        status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        if 200 <= status < 300:
            return True
        return False if status in (400, 403, 404, 410) else None

    def log(self, name: str, decision: Decision) -> None:
        """Say it once; a name that is asked for again and again is counted only."""
        now = time.monotonic()
        said, at = self._said.get(name, ("", 0.0))
        if said == decision.reason and now - at < REPEAT_SECONDS:
            return
        if len(self._said) > 10_000:
            self._said.clear()
        self._said[name] = (decision.reason, now)
        word = "allowed" if decision.is_allowed else "refused"
        self._write(decision=word, name=name, reason=decision.reason)
        for line in (
            self.decider.budget.alerts(time.time()) if decision.reason == "new order" else ()
        ):
            self._write(alert=line)

    def state(self) -> dict[str, object]:
        """For `berth gateway status` and `berth cert list`."""
        now = time.time()
        self.decider.budget.settle(now)
        return {
            "started_at": self.started_at,
            "names": self.decider.table.count,
            "decisions": dict(self.decider.counts),
            "orders": self.decider.budget.counts(),
            "alerts": self.decider.budget.alerts(now),
        }

    def _write(self, **fields: str) -> None:
        """A line of its own, whole or not at all: a log that is full must not stop handshakes."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = json.dumps({"at": at, **fields}) + "\n"
        try:
            os.write(sys.stdout.fileno(), line.encode())
        except OSError:  # full, or nobody reads it any more
            self.decider.counts["lines not logged"] += 1


class Certificates:
    """Which names the edge has a certificate of: one file each, below a folder for each issuer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, name: str) -> bool:
        """Whether it lies there."""
        try:
            issuers = os.listdir(self._folder)
        except OSError:
            return False
        return any((self._folder / item / name / f"{name}.crt").exists() for item in issuers)


class Connection(asyncio.Protocol):
    """One client; requests one after the other."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it to answer."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer what is whole."""
        self._received += data
        while b"\r\n\r\n" in self._received and self._task is None:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._answer(head)
        if len(self._received) > LONGEST_REQUEST and self._transport:
            self._transport.close()

    def _answer(self, head: bytes) -> None:
        parts = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        target = _target(parts[1]) if len(parts) == 3 and parts[0] == "GET" else None
        if target is None:
            self._send(400, "GET /ask?domain=NAME\n")
        elif target.path == "/state":
            self._send(200, json.dumps(self._responder.state()))
        elif target.path != "/ask":
            self._send(404, "GET /ask?domain=NAME\n")
        else:
            self._decide("".join(parse_qs(target.query).get("domain", [""])).lower().rstrip("."))

    def _decide(self, name: str) -> None:
        if not name or len(name) > 253 or not name.isascii() or "/" in name or ".." in name:
            self._send(400, "no name\n")
            return
        decision = self._responder.decider.decide_now(name)
        if decision is not None:
            self._tell(name, decision)
            return
        self._task = asyncio.ensure_future(self._decide_later(name))

    async def _decide_later(self, name: str) -> None:
        self._tell(name, await self._responder.decider.decide(name))
        self._task = None
        self.data_received(b"")

    def _tell(self, name: str, decision: Decision) -> None:
        self._responder.log(name, decision)
        self._send(200 if decision.is_allowed else 403, f"{decision.reason}\n")

    def _send(self, status: int, text: str) -> None:
        body = text.encode()
        head = f"HTTP/1.1 {status} {_ANSWERS[status]}\r\nContent-Length: {len(body)}\r\n\r\n"
        if self._transport and not self._transport.is_closing():
            self._transport.write(head.encode() + body)


async def serve(
    gateway: Path, port: int, entrypoints: frozenset[str], limits: Limits | None = None
) -> None:
    """Answer for ever."""
    os.set_blocking(sys.stdout.fileno(), False)
    responder = Responder(gateway, entrypoints, limits)
    loop = asyncio.get_running_loop()
    socket = gateway / "run/ask.sock"
    socket.unlink(missing_ok=True)
    await loop.create_unix_server(lambda: Connection(responder), str(socket))
    socket.chmod(0o600)
    await _bind(responder, port)
    await asyncio.Event().wait()


async def _bind(responder: Responder, port: int) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + BIND_SECONDS
    while True:
        try:
            await loop.create_server(lambda: Connection(responder), "127.0.0.1", port)
        except OSError:
            if loop.time() > deadline:
                raise
            await asyncio.sleep(0.05)
        else:
            return


def _target(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None


def _question(app: AppQuestion, name: str) -> bytes:
    return (
        f"GET {app.path}?domain={quote(name)} HTTP/1.1\r\nHost: {app.host}\r\n"
        f"X-Forwarded-Host: {app.host}\r\nX-Forwarded-Proto: https\r\n"
        "X-Forwarded-For: 127.0.0.1\r\nUser-Agent: berthmaster-ask\r\nConnection: close\r\n\r\n"
    ).encode()


def main() -> None:
    """`python ask.pyz GATEWAY PORT ENTRYPOINT,... [DOMAIN_WEEK ACCOUNT_THREE_HOURS]`."""
    gateway, port, entrypoints, *limits = sys.argv[1:]
    given = Limits(*(int(text) for text in limits))
    asyncio.run(serve(Path(gateway), int(port), frozenset(entrypoints.split(",")), given))
