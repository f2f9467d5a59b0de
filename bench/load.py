"""A small HTTP/1.1 load generator that counts every request and retries none.

Closed loop (`clients` ask as fast as they are answered) or open loop (`rate` requests a second,
late ones counted as late, never dropped). Raw streams, because a client library may retry or hide a
reset. Use it as a module (`await run(Load(...))`) or as a command: `python bench/load.py --help`.
"""

import argparse
import asyncio
import dataclasses
import json
import ssl
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask, how often and for how long; `seconds` and `requests` bound it."""

    address: str
    port: int
    host: str
    path: str = "/"
    body: bytes | None = None  # POST when given
    clients: int = 20
    seconds: float = 5.0
    requests: int | None = None
    rate: float | None = None  # requests a second in all: an open loop
    keeps_alive: bool = True
    timeout_seconds: float = 30.0
    is_tls: bool = False
    ca_file: Path | None = None  # None with TLS: the certificate is not checked
    version_header: str = "x-version"
    notices_close: bool = False  # look before asking again, as the libraries of clients do


@dataclass(slots=True)
class Tally:
    """What came back. `failures` are requests without a whole answer, by kind."""

    statuses: Counter[int] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    late: int = 0  # open loop: started more than 0.1 s after their time
    seconds: float = 0.0
    delays: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        """All requests that were begun."""
        return self.statuses.total() + self.failures.total()

    @property
    def lost(self) -> int:
        """Requests without an answer, or with one of 500 and more."""
        bad = sum(count for status, count in self.statuses.items() if status >= 500)
        return self.failures.total() + bad

    @property
    def per_second(self) -> float:
        return self.count / self.seconds if self.seconds else 0.0

    def delay(self, share: float) -> float:
        """The delay in seconds that this share of the answers stayed under."""
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def summary(self) -> dict[str, object]:
        """For people and `--json`."""
        return {
            "requests": self.count,
            "lost": self.lost,
            "per_second": round(self.per_second),
            "statuses": dict(self.statuses),
            "versions": dict(self.versions),
            "failures": dict(self.failures),
            "late": self.late,
            "p50_ms": round(self.delay(0.50) * 1000, 2),
            "p99_ms": round(self.delay(0.99) * 1000, 2),
        }


async def run(load: Load, stop: asyncio.Event | None = None) -> Tally:
    """Run the load to its end, or until `stop` is set."""
    tally, state = Tally(), _State(load, stop or asyncio.Event())
    begin = time.perf_counter()
    await asyncio.gather(*(_client(load, tally, state, number) for number in range(load.clients)))
    tally.seconds = time.perf_counter() - begin
    return tally


class _State:
    """Shared by all clients: when to end, and in an open loop whose turn it is."""

    def __init__(self, load: Load, stop: asyncio.Event) -> None:
        self._begin = time.perf_counter()
        self._end = self._begin + load.seconds
        self._left = load.requests
        self._gap = 1 / load.rate if load.rate else 0.0
        self._next = 0
        self._stop = stop
        self.late = 0

    async def turn(self) -> bool:
        """Wait until the next request is due; False when the load is over."""
        if self._stop.is_set() or time.perf_counter() >= self._end or self._left == 0:
            return False
        if self._left is not None:
            self._left -= 1
        if self._gap:
            due = self._begin + self._next * self._gap
            self._next += 1
            wait = due - time.perf_counter()
            self.late += wait < -0.1
            if wait > 0:
                await asyncio.sleep(wait)
        return True


async def _client(load: Load, tally: Tally, state: _State, number: int) -> None:
    request, connection = _request(load), None
    while await state.turn():
        begin = time.perf_counter()
        try:
            async with asyncio.timeout(load.timeout_seconds):
                if connection is not None and load.notices_close and _is_closed(connection):
                    connection[1].close()
                    connection = None
                if connection is None:
                    connection = await _connect(load)
                closes = await _exchange(*connection, request, load, tally)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError) as error:
            tally.failures[type(error).__name__] += 1
            closes = True
        else:
            tally.delays.append(time.perf_counter() - begin)
        if closes and connection is not None:
            connection[1].transport.abort() if not load.keeps_alive else connection[1].close()
            connection = None
    if connection is not None:
        connection[1].close()
    tally.late = state.late


async def _connect(load: Load) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if not load.is_tls:
        return await asyncio.open_connection(load.address, load.port)
    context = tls_context(load.ca_file)
    return await asyncio.open_connection(
        load.address, load.port, ssl=context, server_hostname=load.host
    )


def _is_closed(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bool:
    reader, writer = connection
    return reader.at_eof() or writer.is_closing()


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Trust one CA, or nobody and ask nobody."""
    if ca_file is not None:
        return ssl.create_default_context(cafile=str(ca_file))
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _request(load: Load) -> bytes:
    method = "GET" if load.body is None else "POST"
    lines = [f"{method} {load.path} HTTP/1.1", f"Host: {load.host}"]
    if not load.keeps_alive:
        lines.append("Connection: close")
    if load.body is not None:
        lines.append(f"Content-Length: {len(load.body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (load.body or b"")


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    request: bytes,
    load: Load,
    tally: Tally,
) -> bool:
    """One request and its whole answer; True when the connection is over."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head[9:12])
    if "content-length:" in head:
        length = int(_header(head, "content-length") or 0)
        if length:
            await reader.readexactly(length)
    elif "transfer-encoding: chunked" in head:
        await _read_chunks(reader)
    tally.statuses[status] += 1
    if version := _header(head, load.version_header):
        tally.versions[version] += 1
    return not load.keeps_alive or "connection: close" in head


def _header(head: str, name: str) -> str | None:
    start = head.find(f"\r\n{name}:")
    if start < 0:
        return None
    start += len(name) + 3
    return head[start : head.index("\r\n", start)].strip()


async def _read_chunks(reader: asyncio.StreamReader) -> None:
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        await reader.readexactly(size + 2)
    await reader.readuntil(b"\r\n")


@asynccontextmanager
async def running(load: Load) -> AsyncIterator[Tally]:
    """Load in the background while the body runs; the tally is complete after it."""
    stop, tally = asyncio.Event(), Tally()
    task = asyncio.create_task(run(load, stop))
    try:
        yield tally
    finally:
        stop.set()
        result = await task
        for item in dataclasses.fields(Tally):
            setattr(tally, item.name, getattr(result, item.name))


def main() -> int:
    """Run one load from the command line; exit code 1 when a request was lost."""
    parser = argparse.ArgumentParser(description="HTTP/1.1 load without retries")
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--host", required=True)
    parser.add_argument("--path", default="/")
    parser.add_argument("--post", type=int, metavar="BYTES", help="POST a body of this size")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--new-connections", action="store_true")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--ca", type=Path)
    given = parser.parse_args()
    load = Load(
        given.address,
        given.port,
        given.host,
        path=given.path,
        body=None if given.post is None else b"x" * given.post,
        clients=given.clients,
        seconds=given.seconds,
        requests=given.requests,
        rate=given.rate,
        keeps_alive=not given.new_connections,
        is_tls=given.tls or given.ca is not None,
        ca_file=given.ca,
    )
    tally = asyncio.run(run(load))
    print(json.dumps(tally.summary(), indent=2))
    return 1 if tally.lost else 0


if __name__ == "__main__":
    sys.exit(main())
