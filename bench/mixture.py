"""What visitors of a busy site do at once, at a fixed rate: the load of `scripts/bench load`.

Requests begin when they are due, whatever became of the ones before (an open loop), on connections
kept alive and on new ones, with and without a body; beside them requests of five seconds, and
WebSockets and event streams of eight. Nothing is retried; what does not come to its end is lost.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from bench.load import Load, Tally, run

HELLO: Final = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
SHARES: Final = {  # of the rate
    "GET, keep-alive": 0.6,
    "POST, keep-alive": 0.2,
    "GET, new connections": 0.1,
    "POST, new connections": 0.1,
}
CLIENTS: Final = 40  # of each kind: more than ever wait at once
BODY: Final = b"x" * 1024
SLOW_SECONDS: Final = 5
SLOW_RATE: Final = 2.0  # a second: ten in flight at any moment
SESSIONS: Final = 5  # WebSockets, and as many streams, at any moment
SESSION_SECONDS: Final = 8
EVENTS_A_SECOND: Final = 5  # of the scenarios' app
REPLY_SECONDS: Final = 5.0
TOO_LONG: Final = 3600.0 * 6  # the load ends with its block; this bounds it when that does not


@dataclass(frozen=True, slots=True)
class Target:
    """Where something answers."""

    address: str
    port: int
    host: str

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.address, self.port)

    def request(self, path: str, more: str = "") -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n{more}\r\n".encode()


@dataclass(slots=True)
class Sessions:
    """How many were begun, and why some did not come to their end."""

    count: int = 0
    broken: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Visit:
    """All that happened during a load; complete when its block has ended."""

    requests: dict[str, Tally] = field(default_factory=dict)
    slow: Tally = field(default_factory=Tally)
    sockets: Sessions = field(default_factory=Sessions)
    streams: Sessions = field(default_factory=Sessions)

    def all_requests(self) -> Tally:
        """The short requests of every kind, together."""
        whole = Tally()
        for part in self.requests.values():
            whole.statuses += part.statuses
            whole.versions += part.versions
            whole.failures += part.failures
            whole.delays += part.delays
            whole.late += part.late
            whole.seconds = max(whole.seconds, part.seconds)
        return whole


@contextlib.asynccontextmanager
async def visiting(target: Target, rate: float) -> AsyncIterator[Visit]:
    """Load while the body runs; what is in hand when it ends comes to its end."""
    visit, stop = Visit(), asyncio.Event()
    tasks = [asyncio.create_task(work) for work in _all_of(target, rate, visit, stop)]
    try:
        yield visit
    finally:
        stop.set()
        await asyncio.gather(*tasks)


def _all_of(
    target: Target, rate: float, visit: Visit, stop: asyncio.Event
) -> list[Coroutine[Any, Any, None]]:
    works = [_ask(_load(target, kind, rate), kind, visit, stop) for kind in SHARES]
    works.append(_ask_slowly(target, visit, stop))
    for number in range(SESSIONS):
        wait = number * SESSION_SECONDS / SESSIONS  # so that one begins and one ends all the time
        works.append(_repeat(lambda: _converse(target), visit.sockets, wait, stop))
        works.append(_repeat(lambda: _listen(target), visit.streams, wait, stop))
    return works


def _load(target: Target, kind: str, rate: float) -> Load:
    return Load(
        *(target.address, target.port, target.host),
        body=BODY if kind.startswith("POST") else None,
        clients=CLIENTS,
        seconds=TOO_LONG,
        rate=rate * SHARES[kind],
        keeps_alive="keep-alive" in kind,
    )


async def _ask(load: Load, kind: str, visit: Visit, stop: asyncio.Event) -> None:
    visit.requests[kind] = await run(load, stop)


async def _ask_slowly(target: Target, visit: Visit, stop: asyncio.Event) -> None:
    load = Load(
        *(target.address, target.port, target.host, f"/sleep?seconds={SLOW_SECONDS}"),
        clients=CLIENTS,
        seconds=TOO_LONG,
        rate=SLOW_RATE,
    )
    visit.slow = await run(load, stop)


async def _repeat(
    session: Callable[[], Coroutine[Any, Any, str]],
    sessions: Sessions,
    wait: float,
    stop: asyncio.Event,
) -> None:
    """One session after the other."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), wait)
    while not stop.is_set():
        sessions.count += 1
        try:
            fault = await session()
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
            fault = type(error).__name__
        if fault:
            sessions.broken.append(fault)
            await asyncio.sleep(0.2)


async def _converse(target: Target) -> str:
    """A WebSocket: a message and its echo each second, from the release that it began with."""
    reader, writer = await asyncio.wait_for(target.connect(), REPLY_SECONDS)
    try:
        writer.write(target.request("/ws", HELLO))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REPLY_SECONDS)
        if b" 101 " not in head:
            return head[9:12].decode("latin-1")
        for number in range(SESSION_SECONDS):
            text = b"message %d" % number
            writer.write(text)
            answer = await asyncio.wait_for(reader.readuntil(text), REPLY_SECONDS)
            if not answer.endswith(b":" + text):
                return "another answer"
            await asyncio.sleep(1)
    finally:
        writer.close()
    return ""


async def _listen(target: Target) -> str:
    """An event stream, to its last event."""
    count = SESSION_SECONDS * EVENTS_A_SECOND
    reader, writer = await asyncio.wait_for(target.connect(), REPLY_SECONDS)
    try:
        writer.write(target.request(f"/sse?count={count}"))
        limit = SESSION_SECONDS + 3 * REPLY_SECONDS
        text = await asyncio.wait_for(reader.read(-1), limit)
    finally:
        writer.close()
    if f" {count - 1}\n\n".encode() in text:
        return ""
    return "cut" if b"data:" in text else text[9:12].decode("latin-1") or "no answer"
