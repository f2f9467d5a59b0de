"""Hundreds of stacks on one server: `scripts/bench stacks [--count 300]`, and nothing left of them.

On a Docker Engine of its own in a network namespace of its own, untouched (its default address
pools end plain Compose at its thirtieth project, which is counted first). Each phase is timed, with
the processor that our commands (Compose with them) and the engine spent on it.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.scenario import server as scenario
from tests.scenario.commands import docker, docker_lines
from tests.scenario.dsl import App
from tests.scenario.engine import IMAGES, Engine

from bench.memory import observe_container_mb, observe_cpu_seconds, observe_mb
from bench.process import BERTH, Run, run
from bench.report import Budget, Report

COUNT = 300
CONTROL_COUNT = 40  # plain Compose projects tried: an untouched engine ends before
ROUNDS = 5
PARALLEL = 4  # commands side by side, as a person with a script would
ANSWER_SECONDS = 120.0  # limit for all stacks to answer after a restart of the gateway
LABEL = "label=berthmaster.stack"
COLUMNS = (
    *("what", "count", "seconds", "each_ms", "berth_cpu_s", "berth_mb"),
    *("engine_cpu_s", "engine_mb", "gateway_mb"),
)
COMPOSE_YAML = """\
services:
  web:
    image: ${REGISTRY}/app:${IMAGE_TAG}
"""
BERTH_YAML = """\
app: NAME
routes:
  - {path: /, service: web, port: 8000, ready: /health}
retention: {watch: 1s}
environments:
  stage: {hosts: [stage.NAME.test], entrypoint: plain}
"""
CONTROL_YAML = """\
name: NAME
services:
  web: {image: "berthmaster/base:12", command: [sleep, infinity], init: true}
"""


@dataclass
class Server:
    """The server that is filled, and what is measured on the way."""

    made: scenario.Server
    report: Report
    engine: Engine | None = None  # without one of its own, its size is not measured
    rounds: int = ROUNDS
    apps: list[App] = field(default_factory=list)
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PARALLEL))

    async def berth(self, *words: str) -> Run:
        """One command, timed; several may run side by side."""
        async with self._gate:
            return await asyncio.to_thread(run, self.made.root / "settings.toml", BERTH, *words)

    async def phase(self, what: str, count: int, work: Callable[[], Awaitable[list[Run]]]) -> float:
        """Do it, and add a row; gives its seconds."""
        before, begin = self._engine_cpu(), time.perf_counter()
        runs = await work()
        seconds = time.perf_counter() - begin
        await self.add(what, count, seconds, runs, self._engine_cpu() - before)
        return seconds

    async def add(
        self, what: str, count: int, seconds: float, runs: Sequence[Run], engine_cpu: float
    ) -> None:
        """One row: the whole, and what each stack had of it."""
        memory = max((item.memory_mb for item in runs), default=0.0)
        cpu = sum(item.cpu_seconds for item in runs)
        each = round(1000 * seconds / count, 1)
        gateway = await observe_container_mb(self.made.router)
        gateway += await observe_container_mb(self.made.edge)
        row = (what, count, round(seconds, 2), each, round(cpu, 1), round(memory, 1))
        engine = (round(engine_cpu, 1), round(self._engine_mb(), 1), round(gateway, 1))
        self.report.rows.append((*row, *engine))
        print("  ".join(str(cell) for cell in self.report.rows[-1]), file=sys.stderr, flush=True)

    def _engine_cpu(self) -> float:
        return sum(observe_cpu_seconds(pid) for pid in self._engine_pids())

    def _engine_mb(self) -> float:
        return sum(observe_mb(pid) for pid in self._engine_pids())

    def _engine_pids(self) -> list[int]:
        """dockerd and its containerd; the shim that each container has is not counted."""
        if self.engine is None:
            return []
        file = self.engine.root / "run/containerd/containerd.pid"
        return [self.engine.pid, int(file.read_text())]


def measure(count: int = COUNT) -> Report:
    """About ten minutes for 300 stacks on two idle cores."""
    report = Report(
        "stacks", f"{count} stacks of one small container each on one untouched engine", COLUMNS
    )
    engine = Engine()
    try:
        engine.start([*IMAGES, "berthmaster/base:12"])
        with engine.inside():
            asyncio.run(_measure(engine, count, report))
    except (Exception, KeyboardInterrupt) as error:  # what was measured by then is worth seeing
        report.notes.append(f"broke off: {' '.join(repr(error).split())[:300]}")
        report.budgets.append(Budget("phases that broke off", 1, 0))
    finally:
        engine.destroy()
    return report


async def _measure(engine: Engine, count: int, report: Report) -> None:
    if count >= CONTROL_COUNT:
        await _count_plain_projects(engine, report)
    made = scenario.Server(backends=2 * count + 20)
    server = Server(made, report, engine)
    try:
        await made.set_up()
        await server.add("before: nothing but the gateway", 1, 0.0, (), 0.0)
        server.apps = make_apps(made, count)
        await live(server)
        await die(server)
    finally:
        await made.destroy()


async def live(server: Server) -> None:
    """Create, look at, and restart the gateway under all of them."""
    count, report = len(server.apps), server.report
    await server.phase(f"create, {PARALLEL} deploys side by side", count, lambda: _create(server))
    silent = await _await_answers(server.apps)
    report.budgets.append(Budget("stacks that answer", count - len(silent), count, is_floor=True))
    for what, words in (
        ("status", ("status",)),
        ("plan --all, nothing changed", ("plan", "--all")),
        ("deploy --all, nothing changed", ("deploy", "--all")),
        ("tick", ("tick",)),
    ):
        await _repeat(server, what, words)
    await server.phase(
        "plan --all of another tag", count, lambda: _once(server, "plan", "--all", "--tag", "v2")
    )
    seconds = await server.phase(
        "gateway down and up, until all answer", count, lambda: _restart_gateway(server)
    )
    report.notes.append(f"the gateway answered for every stack {seconds:.1f} s after `down` began")
    status = next(row for row in report.rows if row[0] == "status")
    memory = max(row[5] for row in report.rows if isinstance(row[5], float))
    report.budgets += [
        Budget("berth status", float(status[2]), 0.5, " s"),
        Budget("memory of one run", memory, 80, " MB"),
    ]


async def die(server: Server) -> None:
    """Destroy all of them, and look for anything that is left."""
    count = len(server.apps)
    await server.phase(f"destroy, {PARALLEL} side by side", count, lambda: _destroy(server))
    left = await _find_leftovers(server)
    server.report.notes += [f"left behind: {line}" for line in left]
    server.report.budgets.append(Budget("things left behind", len(left), 0))


async def _create(server: Server) -> list[Run]:
    return await _all(
        server.berth("-C", str(app.folder), "deploy", app.stack, "--tag", "v1")
        for app in server.apps
    )


async def _destroy(server: Server) -> list[Run]:
    return await _all(
        server.berth("destroy", app.stack, "--confirm", app.stack) for app in server.apps
    )


async def _all(commands: Iterable[Awaitable[Run]]) -> list[Run]:
    """Wait for the end of each; raises when one failed."""
    found = await asyncio.gather(*commands, return_exceptions=True)
    if bad := [str(item) for item in found if isinstance(item, BaseException)]:
        raise RuntimeError(f"{len(bad)} of {len(found)} failed\n" + "\n".join(bad[:5]))
    return [item for item in found if isinstance(item, Run)]


async def _once(server: Server, *words: str) -> list[Run]:
    return [await server.berth(*words)]


async def _repeat(server: Server, what: str, words: Sequence[str]) -> None:
    """The median of a few: these take less than what a busy machine adds to them."""
    runs = [await server.berth(*words) for _ in range(server.rounds + 1)][1:]
    median = sorted(runs, key=lambda item: item.seconds)[server.rounds // 2]
    await server.add(what, len(server.apps), median.seconds, [median], 0.0)


async def _restart_gateway(server: Server) -> list[Run]:
    runs = await _once(server, "gateway", "down", "--confirm")
    runs += await _once(server, "gateway", "up")
    if silent := await _await_answers(server.apps):
        raise RuntimeError(f"silent after the gateway's restart: {', '.join(silent)}")
    return runs


async def _await_answers(apps: Sequence[App]) -> list[str]:
    """Ask each stack until it answers with its own version; gives those that never did."""
    end = time.monotonic() + ANSWER_SECONDS
    silent = list(apps)
    while silent and time.monotonic() < end:
        silent = [app for app in silent if not await _answers(app)]
    return [app.stack for app in silent]


async def _answers(app: App) -> bool:
    with contextlib.suppress(OSError, ValueError, IndexError, TimeoutError):
        answer = await app.ask("/version")
        return answer.status == 200 and answer.version == "v1"
    return False


def make_apps(made: scenario.Server, count: int) -> list[App]:
    """Their files; nothing runs yet."""
    return [_make_app(made, f"many{number:03d}") for number in range(count)]


def _make_app(made: scenario.Server, name: str) -> App:
    app = App(made, name, "stage")
    app.folder.mkdir(parents=True)
    (app.folder / "compose.yaml").write_text(COMPOSE_YAML)
    (app.folder / "berth.yaml").write_text(BERTH_YAML.replace("NAME", app.name))
    return app.give()


async def _find_leftovers(server: Server) -> list[str]:
    """What any part of the world still knows of a stack of this run."""
    made, left = server.made, list[str]()
    left += [f"container {name}" for name in await _named("container", "ls", "--all")]
    left += [f"network {name}" for name in await _named("network", "ls")]
    left += [f"volume {name}" for name in await _named("volume", "ls")]
    for table, column in (("stacks", "id"), ("releases", "stack"), ("subnets", "owner")):
        left += [f"{table} {row[0]}" for row in made.rows(f"SELECT {column} FROM {table}")]
    left += [f"slots {row[0]}" for row in made.rows("SELECT owner FROM slots")]
    for part in ("stacks", "sites"):
        folder = made.state / part
        left += [f"folder {path}" for path in folder.iterdir()] if folder.is_dir() else []
    routes = await server.berth("gateway", "routes")
    left += [f"route {line}" for line in routes.out.splitlines()]
    return [line for line in left if f"-{made.run}" in line]


async def _named(*words: str) -> list[str]:
    name = "{{.Name}}" if words[0] != "container" else "{{.Names}}"
    return await docker_lines(*words, "--filter", LABEL, "--format", name)


async def _count_plain_projects(engine: Engine, report: Report) -> None:
    """The control: how many plain Compose projects the same engine takes before it refuses."""
    folders = [_control_folder(engine, number) for number in range(CONTROL_COUNT)]
    started, seconds = list[Path](), list[float]()
    refusal = "none"
    for folder in folders:
        command = ("docker", "compose", "--project-directory", str(folder))
        begin = time.perf_counter()
        try:
            await docker(*command[1:], "up", "--detach")
        except AssertionError as error:
            refusal = str(error).strip().splitlines()[-1]
            break
        started.append(folder)
        seconds.append(time.perf_counter() - begin)
    for folder in folders[: len(started) + 1]:
        await docker("compose", "--project-directory", str(folder), "down", "--timeout", "1")
    median = statistics.median(seconds)
    row = ("control: docker compose up -d, until it refuses", len(started), round(sum(seconds), 2))
    report.rows.append((*row, round(1000 * median, 1), *["-"] * 5))
    report.notes.append(f"plain Compose after {len(started)} projects: {refusal}")
    most = CONTROL_COUNT - 1
    report.budgets.append(Budget("control, plain Compose ends before", len(started), most))


def _control_folder(engine: Engine, number: int) -> Path:
    folder = engine.root / f"control/plain{number:02d}"
    folder.mkdir(parents=True)
    (folder / "compose.yaml").write_text(CONTROL_YAML.replace("NAME", folder.name))
    return folder


def main() -> int:
    """Exit code 1 when a budget is missed or something is left behind."""
    parser = argparse.ArgumentParser(prog="scripts/bench stacks", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--json", action="store_true", help="write bench/results/stacks.json too")
    given = parser.parse_args()
    report = measure(given.count)
    report.print()
    if given.json:
        report.save()
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
