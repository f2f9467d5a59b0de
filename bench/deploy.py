"""How long a deploy takes until the new release answers, beside bare Compose; and a warm rollback.

Both start a second version of the same service from an image that is here; rounds alternate. A new
answer is seen by asking every 10 ms on a connection of its own. The journal says where a deploy's
time goes; time to watch after the switch is not part of it.
"""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import datetime

from tests.apart import free_ports
from tests.scenario.commands import end, start
from tests.scenario.dsl import App
from tests.scenario.server import Server

from bench.report import Budget, Report
from bench.site import make_app, server

POLL_SECONDS = 0.01
LIMIT_SECONDS = 60.0
ANSWER_SECONDS = 0.2  # Docker's proxy takes connections for a container that is gone


async def measure(*, rounds: int = 5) -> Report:
    """About half a minute for each round."""
    report = Report(
        "deploy",
        "Seconds until the new version answers (one service, image here)",
        ("what", "rounds", "median_s", "least_s", "most_s"),
    )
    async with server() as made:
        app = make_app(made, "shop", replicas=1)
        yaml = app.folder / "berth.yaml"
        yaml.write_text(yaml.read_text() + "retention: {watch: 1s}\n")
        await app.deploy("v1")
        async with _plain(made) as plain:
            times = await _rounds(app, plain, rounds)
        profile = _profile(app)
        await _rollbacks(app, times, rounds)
    for what, values in times.items():
        row = (statistics.median(values), min(values), max(values))
        report.rows.append((what, len(values), *(round(value, 3) for value in row)))
    report.budgets = _budgets({what: statistics.median(values) for what, values in times.items()})
    report.notes.append("last deploy, seconds after its lease: " + profile)
    return report


def _budgets(median: dict[str, float]) -> list[Budget]:
    ours, theirs = median["berth deploy"], median["docker compose up -d"]
    limit = max(1.3 * theirs, theirs + 1.5)
    return [
        Budget(
            "deploy until it answers (1.3 x Compose or 1.5 s more)", ours, round(limit, 3), " s"
        ),
        Budget("warm rollback, lease to first new answer", median["rollback: lease"], 0.5, " s"),
        Budget("warm rollback, whole command", median["rollback: command"], 1.2, " s"),
    ]


class _Plain:
    """The same service under plain Compose, with a published port."""

    def __init__(self, made: Server, port: int) -> None:
        self._folder, self.port = made.root / "plain", port
        self._folder.mkdir()
        (self._folder / "compose.yaml").write_text(
            f"name: bare{os.getpid()}\nservices:\n  web:\n"
            f"    image: {made.images}/app:${{TAG}}\n    ports: ['127.0.0.1:{port}:8000']\n"
        )

    async def compose(self, tag: str, *words: str) -> None:
        command = ("docker", "compose", "--project-directory", str(self._folder), *words)
        ended = await end(await start(*command, env={"TAG": tag}))
        if ended.code:
            raise RuntimeError(ended.said)

    async def up(self, tag: str) -> None:
        await self.compose(tag, "up", "--detach")


@asynccontextmanager
async def _plain(made: Server) -> AsyncIterator[_Plain]:
    plain = _Plain(made, free_ports(1)[0])
    try:
        await plain.up("v1")
        yield plain
    finally:
        await plain.compose("v1", "down", "--timeout", "1")


async def _rounds(app: App, plain: _Plain, rounds: int) -> dict[str, list[float]]:
    names = ("berth deploy", "berth deploy, whole command", "docker compose up -d")
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        tag = f"v{2 - number % 2}"
        until, whole = await _timed(app.deploy(tag), app.server.plain, app.host, tag)
        times["berth deploy"].append(until)
        times["berth deploy, whole command"].append(whole)
        until, _ = await _timed(plain.up(tag), plain.port, "plain.test", tag)
        times["docker compose up -d"].append(until)
    return times


async def _timed(
    command: Awaitable[object], port: int, host: str, version: str
) -> tuple[float, float]:
    """Seconds from the command's start until the version answers, and until the command ends."""
    begin = time.time()
    asking = asyncio.ensure_future(_first_answer(port, host, version))
    await command
    whole = time.time() - begin
    return await asking - begin, whole


async def _first_answer(port: int, host: str, version: str) -> float:
    """When it answered for the first time, as seconds since the epoch."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            began = time.time()
            if await _version(port, host) == version:
                return began
            await asyncio.sleep(POLL_SECONDS)


async def _version(port: int, host: str) -> str | None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            text = await _ask(port, host)
    except (OSError, EOFError, TimeoutError):
        return None
    return text.split("x-version: ")[1].split("\r\n")[0] if "x-version: " in text else None


async def _ask(port: int, host: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    finally:
        writer.close()


async def _rollbacks(app: App, times: dict[str, list[float]], rounds: int) -> None:
    """To and fro between the two newest releases, both warm."""
    newest = [row[0] for row in app.server.rows("SELECT number FROM releases ORDER BY number DESC")]
    names = ("rollback: lease", "rollback: start", "rollback: command")
    for name in names:
        times[name] = []
    for number in range(2 * rounds):
        target = newest[(number + 1) % 2]
        old = await _version(app.server.plain, app.host)
        words = ("rollback", app.stack, "--to", f"r{target}")
        begin = time.time()
        new = "v1" if old == "v2" else "v2"
        until, whole = await _timed(app.done(*words), app.server.plain, app.host, new)
        times["rollback: lease"].append(begin + until - _leased_at(app))
        times["rollback: start"].append(until)
        times["rollback: command"].append(whole)


def _leased_at(app: App) -> float:
    query = "SELECT acquired_at FROM leases WHERE name = ?"
    return datetime.fromisoformat(str(app.server.rows(query, app.stack)[0][0])).timestamp()


def _profile(app: App) -> str:
    """When each step of the newest deploy began and ended."""
    begun = _leased_at(app)
    query = "SELECT max(id) FROM deployments WHERE verb = 'deploy'"
    deployment = str(app.server.rows(query)[0][0])
    query = "SELECT step, state, at FROM journal_entries WHERE deployment_id = ? ORDER BY id"
    steps: dict[object, list[str]] = {}
    for step, _, at in app.server.rows(query, deployment):
        after = datetime.fromisoformat(str(at)).timestamp() - begun
        steps.setdefault(step, []).append(f"{after:.2f}")
    return ", ".join(f"#{step} {'-'.join(times)}" for step, times in steps.items())
