"""Ten deploys of one stack at once, twenty stacks at once: the table of `scripts/bench parallel`.

Of ten one must run and nine be told who holds the stack, round after round, with one revision in
the end; plain `docker compose up -d` twice at once is the control, which has no lock. Changes
nothing outside the server and the Compose projects that it makes.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.scenario.commands import docker_lines, end, start
from tests.scenario.dsl import App
from tests.scenario.server import Server

from bench.report import Budget, Report

AT_ONCE = 10
COMPOSE = "services:\n  web: &a\n    image: ${IMAGE}\n    command: [sleep, '36000']\n  worker: *a\n"
COLUMNS = ("what", "rounds", "as it must be", "wrong", "requests lost", "requests", "seconds")


@dataclass
class Found:
    """What came of all rounds of one kind."""

    what: str
    rounds: int = 0
    faults: list[str] = field(default_factory=list)
    asked: int = 0
    lost: int = 0
    seconds: float = 0.0

    def row(self) -> tuple[str | int | float, ...]:
        good = self.rounds - len(self.faults)
        numbers = (self.rounds, good, len(self.faults), self.lost, self.asked)
        return (self.what, *numbers, round(self.seconds, 1))


async def same_stack(server: Server, rounds: int) -> Found:
    """Ten `berth deploy` of one stack, two tags in turn."""
    found = Found(f"{AT_ONCE} x berth deploy, one stack")
    shop = App(server, "ten", "stage").write("web")
    # NOTE: the one that runs must outlast the start of nine others, or these would come after it.
    shop.edit("berth.yaml", "watch: 2s", "watch: 30s").edit("berth.yaml", "ready: 5s", "ready: 60s")
    await shop.deploy("v1")
    for number in range(rounds):
        tag, before = f"v{2 + number % 2}", len(shop.deployment_states())
        begin = time.monotonic()
        async with shop.watched() as seen:
            words = ("deploy", shop.stack, "--tag", tag, "--force")
            ended = await asyncio.gather(*(shop.berth(*words) for _ in range(AT_ONCE)))
        found.seconds += time.monotonic() - begin
        found.rounds, found.asked = found.rounds + 1, found.asked + seen.count
        found.lost += len(seen.lost)
        codes = sorted(item.code for item in ended)
        states = shop.deployment_states()[before:]
        version = (await shop.ask()).version
        if (codes, states, version) != ([0] + [4] * (AT_ONCE - 1), ["succeeded"], tag):
            found.faults.append(f"round {number + 1}: codes {codes}, {states}, {version} answers")
    await server.remove_app(shop.name)
    return found


async def plain_compose(server: Server, rounds: int) -> Found:
    """Two `docker compose up -d` of two revisions at once: they mix, or one fails half way."""
    found = Found("2 x docker compose up -d, one project")
    folder = server.root / "plain"
    folder.mkdir()
    (folder / "compose.yaml").write_text(COMPOSE)
    project = f"par{server.run}"
    for number in range(rounds):
        await _compose(server, folder, project, "v1")
        begin = time.monotonic()
        codes = await asyncio.gather(
            *(_compose(server, folder, project, tag) for tag in ("v2", "v3"))
        )
        found.seconds += time.monotonic() - begin
        found.rounds += 1
        wanted = ("--filter", f"label=com.docker.compose.project={project}")
        running = await docker_lines("container", "ls", *wanted, "--format", "{{.Image}}")
        if len(running) != 2 or len(set(running)) != 1:
            tags = [item.rpartition(":")[2] for item in running]
            found.faults.append(f"round {number + 1}: codes {list(codes)}, running {tags}")
        await _compose(server, folder, project, "v1", "down", "--timeout", "0")
    return found


async def _compose(server: Server, folder: Path, project: str, tag: str, *words: str) -> int:
    command = ("docker", "compose", "--project-name", project, "--project-directory", str(folder))
    words = words or ("up", "--detach", "--timeout", "0")
    return (
        await end(await start(*command, *words, env={"IMAGE": f"{server.images}/app:{tag}"}))
    ).code


async def many_stacks(server: Server, count: int) -> list[Found]:
    """The same update of every stack, one by one and then with `--all`, a few at a time."""
    shops = [App(server, f"many{number}", "stage").write("web") for number in range(count)]
    for shop in shops:
        shop.edit("berth.yaml", "ready: 5s", "ready: 60s")  # a busy machine is no bad release
        await shop.deploy("v1")
    serial, at_once = Found(f"{count} stacks, one by one"), Found(f"{count} stacks, deploy --all")
    begin = time.monotonic()
    for shop in shops:
        await shop.deploy("v2")
    serial.seconds = time.monotonic() - begin
    await _count_converged(serial, shops, "v2")
    begin = time.monotonic()
    process = await server.start("deploy", "--all", "--tag", "v3")
    out, err = await process.communicate()  # longer than a scenario's commands may take
    at_once.seconds = time.monotonic() - begin
    await _count_converged(at_once, shops, "v3")
    if process.returncode:
        at_once.faults.append((out + err).decode().strip()[-300:])
    for shop in shops:
        await server.remove_app(shop.name)
    return [serial, at_once]


async def _count_converged(found: Found, shops: Sequence[App], wanted: str) -> None:
    for shop in shops:
        found.rounds += 1
        version = (await shop.ask()).version
        if version != wanted or shop.lease_holder() is not None:
            found.faults.append(f"{shop.stack}: {version} answers")


async def measure(*, rounds: int = 10, stacks: int = 20) -> Report:
    """About ten minutes."""
    report = Report("parallel", "Many commands at once", COLUMNS)
    server = Server(backends=4 * stacks + 20)
    try:
        await server.set_up()
        ours = await same_stack(server, rounds)
        control = await plain_compose(server, rounds)
        serial, at_once = await many_stacks(server, stacks)
    finally:
        await server.destroy()
    found = (ours, control, serial, at_once)
    report.rows = [item.row() for item in found]
    wrong = sum(len(item.faults) for item in found if item is not control)
    report.budgets = [
        Budget("rounds and stacks not as they must be", wrong, 0),
        Budget("requests lost", ours.lost, 0),
        Budget("deploy --all / one by one, seconds", at_once.seconds / serial.seconds, 1.0),
    ]
    report.notes = [line for item in found for line in item.faults]
    return report


def main() -> int:
    """Fewer of them: `scripts/bench parallel --rounds 2 --stacks 4`; 1 when a budget is missed."""
    parser = argparse.ArgumentParser(description="many commands at once on a real engine")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--stacks", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="write bench/results too")
    given = parser.parse_args()
    report = asyncio.run(measure(rounds=given.rounds, stacks=given.stacks))
    report.print()
    if given.json:
        report.save()
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
