"""Requests lost over switches between two warm releases, beside what plain Compose loses.

The product: `berth rollback` back and forth under a closed loop of load, in four kinds; then 300
clients at once; then long requests, WebSockets and event streams that are in flight at a switch.
The negative control: `docker compose up -d` of the same image with a published port, under the same
four loads; a run in which it loses nothing proves nothing and fails.
"""

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.apart import free_ports
from tests.scenario.commands import end, start
from tests.scenario.dsl import App
from tests.scenario.server import Server, until

from bench.load import Load, Tally, run, running
from bench.report import Budget, Report
from bench.site import load_of, make_app, server

KINDS: dict[str, dict[str, Any]] = {
    "GET, keep-alive": {},
    "POST, keep-alive": {"body": b"x" * 1024},
    "GET, new connections": {"keeps_alive": False},
    "POST, new connections": {"body": b"x" * 1024, "keeps_alive": False},
}
BATCH = 5_000
IN_FLIGHT = 5  # of each kind, for 10 s
HELLO = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
)


@dataclass(frozen=True, slots=True)
class Size:
    """How long it takes: the figures need the defaults, a smoke run less."""

    requests: int = 100_000
    switches: int = 20
    recreations: int = 5
    seconds: int = 30  # of 300 clients


async def measure(size: Size | None = None) -> Report:
    """Run everything on one installation of its own; about eight minutes."""
    size = size or Size()
    report = Report(
        "switch",
        "Requests lost while releases change (20 clients in a closed loop, no retry; POST of 1 KB)",
        ("what", "changes", "requests", "lost", "kinds", "p99_ms"),
    )
    async with server() as made:
        apps = [make_app(made, "shop", environment=name) for name in ("stage", "prod")]
        for app in apps:
            await app.deploy("v1")
            await app.deploy("v2")
        await _switches(report, apps[0], size)
        await _recreations(report, apps[0], size)
        for app, through in zip(apps, ("router", "edge"), strict=True):
            await _many_clients(report, app, through, size)
            await _in_flight(report, app, through)
    return report


async def _switches(report: Report, app: App, size: Size) -> None:
    for kind, more in KINDS.items():
        tally = await _during(
            load_of(app, clients=20, **more), lambda: _go_to_and_fro(app, size.switches), size
        )
        _add(report, f"rollback: {kind}", size.switches, tally)
        report.budgets += [
            Budget(f"requests lost, {kind}", tally.lost, 0),
            Budget(f"requests asked, {kind}", tally.count, size.requests, is_floor=True),
            Budget(f"versions seen, {kind}", len(tally.versions), 2, is_floor=True),
        ]


async def _go_to_and_fro(app: App, count: int) -> None:
    for number in range(count):
        await app.done("rollback", app.stack, "--to", f"r{1 + number % 2}")


async def _during(load: Load, change: Callable[[], Awaitable[None]], size: Size) -> Tally:
    """Load until the changes are done and enough was asked, in batches on new connections."""
    tally, changing = Tally(), asyncio.ensure_future(change())
    while not changing.done() or tally.count < size.requests:
        _take(tally, await run(replace(load, requests=BATCH, seconds=120)))
    await changing
    return tally


def _take(tally: Tally, part: Tally) -> None:
    tally.statuses += part.statuses
    tally.versions += part.versions
    tally.failures += part.failures
    tally.delays += part.delays
    tally.seconds += part.seconds


async def _recreations(report: Report, app: App, size: Size) -> None:
    """The negative control: what people do today, under the same load."""
    (port,) = free_ports(1)
    folder = app.server.root / "plain"
    folder.mkdir()
    (folder / "compose.yaml").write_text(
        f"name: plain{os.getpid()}\nservices:\n  web:\n"
        f"    image: {app.server.images}/app:${{TAG}}\n    ports: ['127.0.0.1:{port}:8000']\n"
    )
    tags = itertools.cycle(["v2", "v1"])
    try:
        await _compose(app.server, "v1")
        for kind, more in KINDS.items():
            load = Load(
                *("127.0.0.1", port, "plain.test"),
                clients=20,
                seconds=120,
                timeout_seconds=5,  # Docker's proxy takes connections for a container that is gone
                **more,
            )
            async with running(load) as tally:
                for _ in range(size.recreations):
                    await asyncio.sleep(1)
                    await _compose(app.server, next(tags))
                await asyncio.sleep(1)
            _add(report, f"compose up -d: {kind}", size.recreations, tally)
            name = f"control, plain Compose loses some, {kind}"
            report.budgets.append(Budget(name, tally.lost, 1, is_floor=True))
    finally:
        await _compose(app.server, "v1", "down", "--timeout", "1")


async def _compose(made: Server, tag: str, *words: str) -> None:
    folder = made.root / "plain"
    what = words or ("up", "--detach", "--pull", "never", "--wait")
    command = ("docker", "compose", "--project-directory", str(folder), *what)
    ended = await end(await start(*command, env={"TAG": tag}))
    if ended.code:
        raise RuntimeError(ended.said)


async def _many_clients(report: Report, app: App, through: str, size: Size) -> None:
    tally = await run(load_of(app, clients=300, seconds=size.seconds))
    _add(report, f"300 clients for {size.seconds} s, {through}", 0, tally)
    report.budgets.append(Budget(f"errors of 300 clients, {through}", tally.lost, 0))


async def _in_flight(report: Report, app: App, through: str) -> None:
    """Begin, switch, and see who comes to an end with an answer of the release it began with."""
    old = (await app.ask()).version
    sockets = [await _open_socket(app) for _ in range(IN_FLIGHT)]
    sleeping = [asyncio.ensure_future(app.ask("/sleep?seconds=10")) for _ in range(IN_FLIGHT)]
    streams = [asyncio.ensure_future(app.ask("/sse?count=50")) for _ in range(IN_FLIGHT)]
    await asyncio.sleep(1)
    await app.done("rollback", app.stack, "--to", "r1" if old == "v2" else "r2")
    await until(lambda: _is_other(app, old))
    answers = await asyncio.gather(*sleeping, *streams, return_exceptions=True)
    ends = {
        "10 s requests": [_has(answer, f"slept {old}") for answer in answers[:IN_FLIGHT]],
        "event streams": [_has(answer, f"data: {old} 49") for answer in answers[IN_FLIGHT:]],
        "WebSockets": [await _echoes(socket, old) for socket in sockets],
    }
    for kind, results in ends.items():
        cut = results.count(False)
        row = (f"in flight, {through}: {kind}", 1, len(results), cut, "-", "-")
        report.rows.append(row)
        report.budgets.append(Budget(f"{kind} cut, {through}", cut, 0))


async def _is_other(app: App, old: str) -> bool:
    return (await app.ask()).version != old


def _has(answer: object, text: str) -> bool:
    return text in getattr(answer, "text", "")


Socket = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _open_socket(app: App) -> Socket:
    reader, writer = await app.connect()
    writer.write(app.request("/ws", more=HELLO))
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in head:
        raise RuntimeError(head.decode())
    return reader, writer


async def _echoes(socket: Socket, version: str) -> bool:
    reader, writer = socket
    try:
        writer.write(b"still there")
        answer = await asyncio.wait_for(reader.readexactly(len(version) + 12), 5)
    except (OSError, EOFError, TimeoutError):
        return False
    finally:
        writer.close()
    return answer == f"{version}:still there".encode()


def _add(report: Report, what: str, changes: int, tally: Tally) -> None:
    bad = {str(status): count for status, count in tally.statuses.items() if status >= 500}
    kinds: dict[str, int] = {**tally.failures, **bad}
    text = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "-"
    row = (what, changes, tally.count, tally.lost, text, round(tally.delay(0.99) * 1000, 1))
    report.rows.append(row)
