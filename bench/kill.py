"""`kill -9` at every step of every kind of plan, on a real engine, and what the next command makes
of it: the table of `scripts/bench kill`. With `--signal` Ctrl-C, SIGTERM or a lost terminal.

Each command runs in a process of its own and kills itself at a failpoint; `berth tick` comes next.
A command that can hear the signal must have put everything back by itself before that.
Nobody knows the plan beforehand: a killed command has recorded how many steps there are. Changes
nothing outside the servers that it makes.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import count, repeat
from pathlib import Path

from tests.scenario import server as scenario_server
from tests.scenario.dsl import App, Seen
from tests.scenario.server import Server

from bench.kill_ledger import Kill, Ledger, Place, report_on
from bench.report import observe_machine
from berthmaster.engine.failpoints import DURING, POINTS, SIGNALS

HERE = Path(__file__).parent
VICTIM = HERE / "victim"
TERMINAL = {"succeeded", "unwound"}
INTERRUPTED = 130
SECOND_KILL_EVERY = 6  # one recovery in so many is killed too
DATABASE = """
  db:
    image: berthmaster/postgres:15
    environment: {POSTGRES_USER: shop, POSTGRES_DB: shop, POSTGRES_HOST_AUTH_METHOD: trust}
    volumes: ["rows:/var/lib/postgresql/data"]
    healthcheck: {test: [CMD-SHELL, "pg_isready -h 127.0.0.1 -U shop -d shop"], interval: 2s}
  web:
"""
MIGRATION = 'jobs:\n  migrate: {service: web, command: ["true"], timeout: 30s, compatible: WORD}\n'


@dataclass
class Killed:
    """All kills of a scenario in this run."""

    scenario: str
    kills: list[Kill] = field(default_factory=list)
    broke: str = ""  # why it ended before everything was tried


@dataclass(frozen=True, slots=True)
class Limits:
    """Which places of a scenario, how long it may take, and who keeps what is found."""

    first_step: int = 1
    minutes: float = 0.0  # 0: until everything was tried
    settled: Mapping[Place, Kill] = field(default_factory=dict)  # left out
    ledger: Ledger | None = None


class Victim:
    """A tiny stack of four services, and questions about it that only the store can answer."""

    def __init__(self, server: Server, name: str) -> None:
        self.app = App(server, name, "stage")
        self.app.folder.mkdir(parents=True)
        for file in VICTIM.iterdir():
            (self.app.folder / file.name).write_text(file.read_text().replace("APP", self.app.name))
        self.app.give()

    def with_migration(self, *, is_compatible: bool) -> None:
        """Give it a database and a job that changes it."""
        word = "yes" if is_compatible else "no"
        self.app.edit("compose.yaml", "\n  web:\n", DATABASE)
        self.app.edit("compose.yaml", "  queue:\n", "  queue:\n  rows:\n")
        self.app.edit("berth.yaml", "retention:", f"{MIGRATION.replace('WORD', word)}retention:")

    def releases(self, *states: str) -> list[int]:
        """Numbers of releases in these states, oldest first."""
        query = "SELECT number, state FROM releases WHERE stack = ? ORDER BY number"
        rows = self.app.server.rows(query, self.app.stack)
        return [int(str(number)) for number, state in rows if state in states]

    def recorded(self) -> set[int]:
        """Numbers of all releases that have a record."""
        query = "SELECT number FROM releases WHERE stack = ?"
        return {int(str(row[0])) for row in self.app.server.rows(query, self.app.stack)}

    def live_tag(self) -> str | None:
        query = "SELECT tag FROM releases WHERE stack = ? AND state = 'live'"
        rows = self.app.server.rows(query, self.app.stack)
        return str(rows[0][0]) if rows else None

    async def done(self, *words: str) -> None:
        await self.app.done(*words)

    def deploy_words(self) -> tuple[str, ...]:
        """Deploy the tag that does not run."""
        tag = "v2" if self.live_tag() == "v1" else "v1"
        return ("deploy", self.app.stack, "--tag", tag)

    def last_deployment(self) -> tuple[int, str, str]:
        """Number, state and plan of the newest one."""
        query = "SELECT id, state, plan FROM deployments WHERE stack = ? ORDER BY id DESC LIMIT 1"
        rows = self.app.server.rows(query, self.app.stack)
        return (int(str(rows[0][0])), str(rows[0][1]), str(rows[0][2])) if rows else (0, "", "")

    def state_of(self, deployment: int) -> str:
        """Where a deployment ended; a slow machine's `tick` may have begun the next one by now."""
        rows = self.app.server.rows("SELECT state FROM deployments WHERE id = ?", deployment)
        return str(rows[0][0]) if rows else "unknown"


class Scenario:
    """A kind of change: what must be there before it, and the command that is killed."""

    is_answered = True  # something answers before it, so something must answer all the time

    def __init__(self, victim: Victim) -> None:
        self.victim = victim

    async def prepare(self) -> None:
        """Once: two releases, so that every later plan has the same steps."""
        await self.victim.done(*self.victim.deploy_words())
        await self.victim.done(*self.victim.deploy_words())

    async def ready(self) -> tuple[str, ...]:
        """Before each kill: the words of the command."""
        return self.victim.deploy_words()


class Update(Scenario):
    pass


class Migration(Scenario):
    async def prepare(self) -> None:
        self.victim.with_migration(is_compatible=True)
        await super().prepare()


class Incompatible(Scenario):
    async def prepare(self) -> None:
        self.victim.with_migration(is_compatible=False)
        await super().prepare()


class First(Scenario):
    is_answered = False

    async def prepare(self) -> None:
        pass

    async def ready(self) -> tuple[str, ...]:
        if self.victim.releases("live"):
            await self.victim.done("destroy", self.victim.app.stack, "--confirm", self.stack)
        return ("deploy", self.stack, "--tag", "v1")

    @property
    def stack(self) -> str:
        return self.victim.app.stack


class Destroy(First):
    async def ready(self) -> tuple[str, ...]:
        if not self.victim.releases("live"):
            await self.victim.done(*self.victim.deploy_words())
        return ("destroy", self.stack, "--confirm", self.stack)


class WarmRollback(Scenario):
    async def ready(self) -> tuple[str, ...]:
        if not self.victim.releases("warm"):
            await self.victim.done(*self.victim.deploy_words())
        number = self.victim.releases("warm")[-1]
        return ("rollback", self.victim.app.stack, "--to", f"r{number}")


class ColdRollback(Scenario):
    async def prepare(self) -> None:
        self.victim.app.edit("berth.yaml", "warm: 10m", "warm: 0s")
        await super().prepare()

    async def ready(self) -> tuple[str, ...]:
        await self.victim.done("tick")
        number = self.victim.releases("retired")[-1]
        return ("rollback", self.victim.app.stack, "--to", f"r{number}")


class Maintenance(Scenario):
    async def ready(self) -> tuple[str, ...]:
        query = "SELECT is_in_maintenance FROM stacks WHERE id = ?"
        stack = self.victim.app.stack
        is_on = bool(self.victim.app.server.rows(query, stack)[0][0])
        return ("maintenance", "off" if is_on else "on", stack)


SCENARIOS: dict[str, type[Scenario]] = {
    "update": Update,
    "migration": Migration,
    "incompatible": Incompatible,
    "first": First,
    "destroy": Destroy,
    "cold": ColdRollback,
    "warm": WarmRollback,
    "maintenance": Maintenance,
}
MAY_BE_AWAY = {"incompatible", "maintenance"}  # 503 is their maintenance page


async def kill_everywhere(
    scenario: Scenario, killed: Killed, limits: Limits, signal_name: str = "kill"
) -> None:
    """Kill at every step at every point; each step once before any of them is killed again."""
    points = POINTS if signal_name == "kill" else (*POINTS, DURING)
    await scenario.prepare()
    end = time.monotonic() + 60 * limits.minutes
    mine = (kill for kill in limits.settled.values() if kill.scenario == killed.scenario)
    steps = max((kill.steps for kill in mine), default=0)
    for turn in range(len(points)):
        step, last = limits.first_step, max(steps, limits.first_step)
        while step <= last:
            if limits.minutes and time.monotonic() > end:
                return
            kill = Kill(killed.scenario, step, points[(step + turn) % len(points)], signal_name)
            step += 1
            if kill.place in limits.settled:
                continue
            await _try(scenario, killed, kill, limits.ledger)
            last = steps = max(steps, kill.steps)


async def _try(scenario: Scenario, killed: Killed, kill: Kill, ledger: Ledger | None) -> None:
    place = f"{kill.step}:{kill.point}"
    kill.is_hit = await kill_once(scenario, kill, place, len(killed.kills)) is not None
    killed.kills.append(kill)
    if ledger:
        ledger.add(kill)
    print(kill.line(), file=sys.stderr, flush=True)


async def kill_once(scenario: Scenario, kill: Kill, failpoint: str, number: int) -> Kill | None:
    """Kill one command and let the next one recover; None when it was not killed."""
    victim, app = scenario.victim, scenario.victim.app
    words = await scenario.ready()
    before = await app.world()
    async with _watching(scenario) as seen:
        place = f"{failpoint}@{kill.signal}"
        done = await app.berth(*words, env={"BERTHMASTER_FAILPOINT": place})
        killed, state, plan = victim.last_deployment()
        kill.steps = steps_of(plan)
        if done.code != (-signal.SIGKILL if kill.signal == "kill" else INTERRUPTED):
            if done.code != 0:
                raise AssertionError(f"{' '.join(words)} at {place}: {done.said}")
            return None  # it ended before that step, or before it heard
        if kill.signal != "kill":
            kill.faults += await _half_done(scenario, state, before)
        kill.action = action_of(plan, kill.step) or failpoint.partition(":")[0]
        if number % SECOND_KILL_EVERY == SECOND_KILL_EVERY - 1:
            kill.is_killed_twice = await _kill_recovery(app)
        begin = time.monotonic()
        tick = await app.berth("tick")
        kill.recovery_seconds = round(time.monotonic() - begin, 2)
    if tick.code != 0:
        kill.faults.append(f"tick ended with {tick.code}: {tick.err.strip()[-300:]}")
    if seen is not None:
        away = {"503"} if kill.scenario in MAY_BE_AWAY else set()
        kill.asked, kill.lost = seen.count, [item for item in seen.lost if item not in away]
    kill.faults += await _faults(scenario, kill, killed, before)
    return kill


async def _half_done(scenario: Scenario, state: str, before: set[str]) -> list[str]:
    """What a command that heard a signal left behind; past the point of no return some is due."""
    if state == "retiring":
        return []
    if state != "unwound":
        return [f"interrupted, and {state}"]
    changed = changes(scenario.victim, await scenario.victim.app.world(), before)
    return [f"not put back: {item}" for item in changed]


def _watching(scenario: Scenario) -> AbstractAsyncContextManager[Seen | None]:
    return scenario.victim.app.watched() if scenario.is_answered else nullcontext()


async def _kill_recovery(app: App) -> bool:
    for failpoint in ("undo:*:after_unrecorded", "*:after_unrecorded"):
        done = await app.berth("tick", env={"BERTHMASTER_FAILPOINT": failpoint})
        if done.code == -signal.SIGKILL:
            return True
    return False


async def _faults(scenario: Scenario, kill: Kill, killed: int, before: set[str]) -> list[str]:
    """Everything that is not as it must be once the next command has run."""
    victim, app = scenario.victim, scenario.victim.app
    kill.state = victim.state_of(killed)
    found = []
    if kill.state not in TERMINAL:
        found.append(f"d{killed} is {kill.state}")
    if holder := app.lease_holder():
        found.append(f"{holder} still holds the lease")
    is_live = bool(victim.releases("live"))
    world, gateway, health = await asyncio.gather(
        app.world(),
        app.berth("gateway", "status", "--json"),
        app.berth("health", app.stack, "--json"),
    )
    if kill.state == "unwound":
        found += [f"not as before: {item}" for item in changes(victim, world, before)]
    else:
        found += [f"left over: {item}" for item in sorted(left_over(victim, world))]
    if gateway.code != 0 or gateway.json()["differences"]:
        found.append(f"gateway: {gateway.said.strip()[-300:]}")
    if is_live:
        if health.code != 0 and kill.scenario != "maintenance":
            found.append(f"health: {health.said.strip()[-300:]}")
    elif scenario.is_answered:
        found.append("nothing is live")
    return found


def _is_data(item: str) -> bool:
    """A volume that a first deploy made: never removed unless a person says so (D9)."""
    return item.startswith("volume ")


def changes(victim: Victim, world: set[str], before: set[str]) -> Iterator[str]:
    """What is there now and was not, or the other way round.

    The subnet of an old release goes with its record, which each command removes beyond retention.
    """
    recorded = victim.recorded()
    for item in sorted(world ^ before):
        number = re.fullmatch(r"owner .*-r(\d+)-net", item)
        is_forgotten = item in before and number and int(number.group(1)) not in recorded
        if not _is_data(item) and not is_forgotten:
            yield item


def left_over(victim: Victim, world: set[str]) -> Iterator[str]:
    """Objects of releases that are neither live nor warm.

    A retired one keeps its files and its subnet: a rollback starts it again at its addresses.
    """
    running = victim.releases("live", "warm")
    recorded = victim.releases("live", "warm", "retired")
    for item in world:
        number = re.search(rf"{victim.app.project}[-/]r(\d+)\b", item)
        if number is None:
            if not running:
                yield item
            continue
        is_reserved = re.match(r"folder |owner .*-net$", item)
        kept = recorded if is_reserved else running
        if int(number.group(1)) not in kept:
            yield item


def steps_of(plan: str) -> int:
    """How many steps a recorded plan has."""
    return len(json.loads(plan or "{}").get("steps", ()))


def action_of(plan: str, step: int) -> str:
    """The kind of a step's action, from the recorded plan; empty when there is no such step."""
    for item in json.loads(plan or "{}").get("steps", ()):
        if item["number"] == step:
            return str(item["action"].get("type", item["action"].get("kind", "")))
    return ""


async def run_scenario(name: str, limits: Limits, signal_name: str = "kill") -> Killed:
    """A server of its own for one scenario; one that breaks off keeps what it has found."""
    server, killed = Server(), Killed(name)
    try:
        await server.set_up()
        victim = Victim(server, f"kill-{name}"[:20])
        await kill_everywhere(SCENARIOS[name](victim), killed, limits, signal_name)
        await server.remove_app(victim.app.name)
    except (AssertionError, TimeoutError) as error:
        killed.broke = " ".join(str(error).split())[-400:] or "a command took too long"
    finally:
        await server.destroy()
    return killed


def _in_process(name: str, number: int, limits: Limits, signal_name: str) -> Killed:
    scenario_server.BLOCK = f"10.{200 + number + os.getppid() % 16}.0.0/16"  # side by side
    return asyncio.run(run_scenario(name, limits, signal_name))


def kill_all(
    names: Sequence[str], jobs: int, limits: Limits, signal_name: str = "kill"
) -> list[Killed]:
    """Scenarios side by side, each in a process and on a server of its own."""
    with ProcessPoolExecutor(jobs, max_tasks_per_child=1) as pool:
        return list(pool.map(_in_process, names, count(), repeat(limits), repeat(signal_name)))


def main() -> int:
    """Some scenarios only: `python -m bench.kill --only cold`; 1 when a kill was not recovered."""
    parser = argparse.ArgumentParser(description="a signal at every step on a real engine")
    parser.add_argument("--only", choices=SCENARIOS, action="append")
    parser.add_argument("--jobs", type=int, default=3, help="scenarios side by side")
    parser.add_argument("--signal", choices=sorted(SIGNALS.keys() - {"stop"}), default="kill")
    parser.add_argument("--first-step", type=int, default=1)
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="end each scenario then; 0: when it is whole"
    )
    parser.add_argument(
        "--resume", action="store_true", help="leave out what --json has kept as recovered"
    )
    parser.add_argument("--json", action="store_true", help="add to bench/results, kill by kill")
    given = parser.parse_args()
    ledger = Ledger(given.signal)
    limits = Limits(
        given.first_step,
        given.minutes,
        ledger.settled() if given.resume else {},
        ledger if given.json else None,
    )
    machine = observe_machine()  # before it is busy
    found = kill_all(given.only or list(SCENARIOS), given.jobs, limits, given.signal)
    kills = [kill for one in found for kill in one.kills]
    if given.json:
        ledger.tidy()
        kills = list(ledger.read().values())
    report = report_on(
        kills, [(one.scenario, one.broke) for one in found if one.broke], given.signal
    )
    report.machine = machine
    report.print()
    if given.json:
        report.save()
    return 0 if kills and report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
