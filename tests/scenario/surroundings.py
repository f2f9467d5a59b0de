"""A server that is disturbed: faults of Docker, disk, registry, gateway, store and addresses.

Each is one function, used by the short form in the tests and by `scripts/bench faults`.

Every fault happens on an engine of its own (`engine.py`); none needs a person afterwards: the next
command is `berth tick`.
"""

import asyncio
import contextlib
import ipaddress
import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.apart import free_ports
from tests.scenario.commands import Ended, docker, docker_lines, end
from tests.scenario.dsl import App, Seen
from tests.scenario.engine import IMAGES, Engine
from tests.scenario.registry_proxy import registry_proxy
from tests.scenario.server import Server, until

IMAGES_OF_LAB: Final = (*IMAGES, "berthmaster/redis:7")
LIBRARIES: Final = Path("/usr/lib")
ENDED: Final = {"succeeded", "unwound"}
QUIET_SECONDS: Final = 60.0  # until something answers again after a fault


@dataclass
class Row:
    """One fault: what was done, what `berth` said, what is left of it."""

    fault: str
    code: int = 0
    said: str = ""
    state: str = ""  # of the deployment after the next command
    lost: int = 0
    asked: int = 0
    seconds: float = 0.0  # from the end of the fault until it answered well again
    may_lose: str = ""  # why requests may be lost; empty: none may
    problems: list[str] = field(default_factory=list)  # what needs hands

    @property
    def is_good(self) -> bool:
        return not self.problems and (not self.lost or bool(self.may_lose))


@dataclass
class Lab:
    """A server on an engine of its own with one app that is live on it."""

    engine: Engine
    server: Server
    app: App

    @contextlib.asynccontextmanager
    async def row(self, fault: str, may_lose: str = "") -> AsyncIterator[Row]:
        """Ask all the time; then the next command, and everything must be as promised."""
        row = Row(fault, may_lose=may_lose)
        async with self.app.watched() as seen:
            yield row
            begin = time.monotonic()
            tick = await self.next_command()
            with contextlib.suppress(TimeoutError):
                await until(self.is_answering, seconds=QUIET_SECONDS)
            row.seconds = round(time.monotonic() - begin, 1)
        row.asked, row.lost = seen.count + len(seen.lost), len(seen.lost)
        if tick.code != 0:
            row.problems.append(f"tick ended with {tick.code}: {tick.err.strip()[-300:]}")
        await self._check(row, seen)

    async def next_command(self) -> Ended:
        return await self.server.berth("tick")

    async def is_answering(self) -> bool:
        try:
            return (await self.app.ask()).status == 200
        except (OSError, ValueError, IndexError, TimeoutError):
            return False

    async def _check(self, row: Row, seen: Seen) -> None:
        states = self.app.deployment_states()
        row.state = f"{states[-1]}, {self.live()} serves" if states else "nothing was deployed"
        if set(states) - ENDED:
            row.problems.append(f"deployments are {states}")
        holder = str(self.app.lease_holder() or "")
        if holder and _lives(holder):
            row.problems.append(f"{holder} holds the lease")
        if not seen.versions or seen.versions[-1] != self.live():
            row.problems.append(f"{self.live()} is live and {seen.versions} answered")
        await self._check_inventory(row)
        status = await self.server.berth("gateway", "status", "--json")
        if status.code != 0 or status.json()["differences"]:
            row.problems.append(f"gateway: {status.said[-300:]}")
        with contextlib.suppress(TimeoutError):
            await until(self.is_healthy, seconds=QUIET_SECONDS)
        if not await self.is_healthy():
            health = await self.app.berth("health", self.app.stack)
            row.problems.append(f"health: {health.said[-400:]}")

    async def is_healthy(self) -> bool:
        return (await self.app.berth("health", self.app.stack)).code == 0

    async def _check_inventory(self, row: Row) -> None:
        kept = "SELECT number FROM releases WHERE stack = ? AND state IN ('live', 'warm')"
        numbers = {str(item[0]) for item in self.server.rows(kept, self.app.stack)}
        wanted = ("--filter", f"label=berthmaster.stack={self.app.stack}")
        label = '{{.Label "berthmaster.release"}} {{.Names}}'
        for line in await docker_lines("container", "ls", "--all", *wanted, "--format", label):
            number, _, name = line.rpartition(" ")
            if number and number not in numbers:
                row.problems.append(f"left over: {name}")

    def live(self) -> str:
        """The tag that the store says is live."""
        query = "SELECT tag FROM releases WHERE stack = ? AND state = 'live'"
        rows = self.server.rows(query, self.app.stack)
        return str(rows[0][0]) if rows else ""

    def live_number(self) -> int:
        """The release that the store says is live."""
        query = "SELECT number FROM releases WHERE stack = ? AND state = 'live'"
        return int(str(self.server.rows(query, self.app.stack)[0][0]))

    def other(self) -> str:
        """The tag that is not."""
        return "v2" if self.live() == "v1" else "v1"

    async def deploying(self, tag: str | None = None) -> asyncio.subprocess.Process:
        """A deploy that runs."""
        tag = tag or self.other()
        return await self.app.start("deploy", self.app.stack, "--tag", tag, "--force")

    async def at_step(self, what: str) -> None:
        """Until the newest deployment is at a step whose text holds this, or is over."""
        await until(lambda: self._is_at(what), seconds=60)

    def _is_at(self, what: str) -> bool:
        holder = self.server.rows("SELECT step FROM leases WHERE name = ?", self.app.stack)
        return bool(holder and what in str(holder[0][0]))


def _lives(holder: str) -> bool:
    """Whether the process in a lease's holder runs; a dead one's lease is anybody's."""
    found = re.search(r"pid (\d+)", holder)
    return found is None or Path(f"/proc/{found[1]}").exists()


def note(row: Row, done: Ended) -> None:
    """Keep how a command ended and what it said first, without this run's folders and names."""
    row.code = done.code
    lines = done.err.partition("berth: ")[2].splitlines() if done.code else done.out.splitlines()
    text = " ".join(" ".join(lines[:3]).split())
    row.said = re.sub(r"/tmp/[\w./-]*/(?=[\w.-]+)", "", re.sub(r"-[0-9a-f]{4}(?=[@-])", "", text))[
        :160
    ]


@contextlib.contextmanager
def laboratory(*, live_restore: bool = False, size: str | None = None) -> Iterator[Engine]:
    """An engine of its own, and the calling thread on it."""
    engine = Engine(live_restore=live_restore, size=size)
    try:
        engine.start(IMAGES_OF_LAB)
        with engine.inside():
            yield engine
    finally:
        engine.destroy()


async def furnish(engine: Engine, data: str = "workers") -> Lab:
    """Registry, gateway and an app of a web server, a consumer and a scheduler."""
    server = Server(root=engine.disk / "b")
    server.root.mkdir()
    await server.set_up()
    await docker("update", "--restart", "always", server.registry)
    app = App(server, "shop", "stage").write(data)
    app.edit("berth.yaml", "watch: 1s", "watch: 3s")  # faults at `watch` find it on a busy machine
    lab = Lab(engine, server, app)
    await lab.app.deploy("v1")
    return lab


# Docker


async def docker_stops(lab: Lab, step: str, name: str = "Docker stopped and started") -> Row:
    """`systemctl restart docker` while a deploy is at a step."""
    lose = "" if lab.engine.live_restore else "Docker stops every container"
    kept = "with live-restore" if lab.engine.live_restore else "without live-restore"
    async with lab.row(f"{name} {kept}, at '{step}'", lose) as row:
        process = await lab.deploying()
        await lab.at_step(step)
        await asyncio.to_thread(lab.engine.stop)
        await asyncio.sleep(1)
        await asyncio.to_thread(_start_inside, lab.engine)
        note(row, await end(process))
    return row


async def docker_freezes(lab: Lab, seconds: float, step: str) -> Row:
    """dockerd does nothing for a while."""
    async with lab.row(f"Docker frozen for {seconds:.0f} s, at '{step}'") as row:
        process = await lab.deploying()
        await lab.at_step(step)
        lab.engine.freeze()
        await asyncio.sleep(seconds)
        lab.engine.thaw()
        note(row, await end(process))
    return row


async def machine_reboots(lab: Lab, step: str | None) -> Row:
    """Everything ends; Docker starts what it knows in its own order."""
    when = f"at '{step}'" if step else "at rest"
    async with lab.row(f"machine rebooted {when}", "the machine is away") as row:
        process = await lab.deploying() if step else None
        if step and process:
            await lab.at_step(step)
            process.kill()
            row.code, row.said = -9, "(killed)"
            await end(process)
        await asyncio.to_thread(_reboot_inside, lab.engine)
    return row


def _start_inside(engine: Engine) -> None:
    engine.start()


def _reboot_inside(engine: Engine) -> None:
    engine.reboot()


# gateway


async def gateway_dies(lab: Lab, part: str) -> Row:
    """`kill -9` of the router or the edge."""
    name = lab.server.router if part == "router" else lab.server.edge
    async with lab.row(f"{part} killed", "until Docker has started it again") as row:
        pid = int(await docker("inspect", "--format", "{{.State.Pid}}", name))
        os.kill(pid, 9)
        await until(lab.is_answering)
    return row


async def map_truncated(lab: Lab, *, dies: bool) -> Row:
    """The map files are emptied; the router may start from them before anybody looks."""
    after = ", then the router killed" if dies else ""
    lose = "the router starts from empty maps, until the next command" if dies else ""
    async with lab.row(f"map files truncated{after}", lose) as row:
        for path in (lab.server.state / "gateway/haproxy/maps").iterdir():
            path.write_text("")
        if dies:
            await docker("kill", "--signal", "KILL", lab.server.router, code=None)
            await docker("start", lab.server.router)
    return row


async def configuration_edited(lab: Lab) -> Row:
    """A person edits the router's configuration; it does not start any more."""
    async with lab.row(
        "router's configuration edited by hand, router restarted", "it is down"
    ) as row:
        path = lab.server.state / "gateway/haproxy/haproxy.cfg"
        path.write_text(
            "# just trying\n" + path.read_text() + "\nfrontend broken\n  bind nonsense\n"
        )
        await docker("restart", lab.server.router, code=None)
    return row


# store


async def store_locked(lab: Lab, seconds: float) -> Row:
    """Another program holds the write lock for a while, in the middle of a deploy."""
    async with lab.row(f"store locked for {seconds:.0f} s in mid-deploy") as row:
        process = await lab.deploying()
        await lab.at_step("await ready")
        with _locked(lab.server.state / "store.db"):
            await asyncio.sleep(seconds)
        note(row, await end(process))
    return row


async def store_damaged(lab: Lab, how: str) -> Row:
    """The file is overwritten, emptied or removed; the refusal names the copy to put back."""
    async with lab.row(f"store {how}, then restored") as row:
        path = lab.server.state / "store.db"
        _damage(path, how)
        done = await lab.app.berth("deploy", lab.app.stack, "--tag", "v1", "--force")
        note(row, done)
        if "berth server restore-store" not in done.err or "/snapshots/store-" not in done.err:
            row.problems.append("the refusal does not say how to restore")
        back = await lab.server.berth("server", "restore-store")
        if back.code != 0:
            row.problems.append(f"restore-store: {back.said[-300:]}")
    return row


def _damage(path: Path, how: str) -> None:
    for part in ("-wal", "-shm"):
        Path(f"{path}{part}").unlink(missing_ok=True)
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes(b"\xff" * 9000 if how == "overwritten" else b"")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


async def store_read_only(lab: Lab) -> Row:
    """The state folder's disk is mounted read-only, as after an error of the disk."""
    async with lab.row("state folder mounted read-only") as row:
        tag = lab.other()  # this reader writes beside the store, too
        with _read_only(lab.server.state):
            note(row, await end(await lab.deploying(tag)))
            if (await lab.server.berth("status")).code != 0:
                row.problems.append("status does not work on a read-only disk")
    return row


@contextlib.contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    call("mount", "--bind", str(folder), str(folder))
    try:
        call("mount", "-o", "remount,bind,ro", str(folder))
        yield
    finally:
        call("umount", "--lazy", str(folder))


# clock


def faketime() -> Path | None:
    """The library that steps a clock for one process; None without the package `faketime`."""
    return next(LIBRARIES.glob("*/faketime/libfaketime.so.1"), None)


async def clock_stepped(lab: Lab, hours: int) -> Row:
    """The clock that `berth` reads is hours away from Docker's and from its own last time."""
    async with lab.row(f"clock {hours:+d} h for one deploy") as row:
        env = {
            "LD_PRELOAD": str(faketime()),
            "FAKETIME": f"{hours:+d}h",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        words = ("deploy", lab.app.stack, "--tag", lab.other(), "--force")
        done = await lab.app.berth(*words, env=env)
        note(row, done)
        if done.code != 0:
            row.problems.append(done.err[-300:])
    return row


# registry


async def registry_misbehaves(lab: Lab, mood: str, *, refusals: int = 1000) -> Row:
    """Another tag is wanted, and its registry does not do what it should."""
    is_passing = mood == "slow" or refusals < 3
    what = {"busy": "429", "broken": "503", "wrong": "wrong digest", "slow": "slow"}[mood]
    async with lab.row(f"registry: {what}{' once' if refusals == 1 else ''}") as row:
        (port,) = free_ports(1)
        async with registry_proxy(lab.server.registry_port, port) as proxy:
            proxy.mood, proxy.refusals = mood, refusals
            lab.app.give(REGISTRY=f"127.0.0.1:{port}/sc{lab.server.run}")
            done = await lab.app.berth("deploy", lab.app.stack, "--tag", "v3", "--force")
        note(row, done)
        if (done.code == 0) is not is_passing:
            row.problems.append(f"exit {done.code}: {done.err[-300:]}")
        lab.app.variables.pop("REGISTRY", None)
        lab.app.give()
    return row


async def registry_down(lab: Lab) -> Row:
    """Nobody answers where the images are."""
    async with lab.row("registry down") as row:
        (port,) = free_ports(1)
        lab.app.give(REGISTRY=f"127.0.0.1:{port}/sc{lab.server.run}")
        done = await lab.app.berth("deploy", lab.app.stack, "--tag", "v3", "--force")
        note(row, done)
        if done.code != 3:
            row.problems.append(f"exit {done.code}: {done.err[-300:]}")
        lab.app.variables.pop("REGISTRY", None)
        lab.app.give()
    return row


# disk


async def disk_full(lab: Lab, step: str | None, what: str = "disk") -> Row:
    """No byte (or no inode) is left from a step of a deploy on, or before it; later there is."""
    when = f"at '{step}'" if step else "before the deploy"
    async with lab.row(f"{what} full {when}") as row:
        use_up = _fill_inodes if what == "inodes" else _fill_bytes
        tag = lab.other()  # this reader needs the disk, too
        if step is None:
            use_up(lab.engine)
        process = await lab.deploying(tag)
        if step is not None:
            await lab.at_step(step)
            use_up(lab.engine)
        note(row, await end(process))
        if (await lab.app.berth("status")).code != 0:
            row.problems.append("status does not work on a full disk")
        _make_room(lab.engine)
    return row


def _fill_bytes(engine: Engine) -> None:
    engine.fill()


def _fill_inodes(engine: Engine) -> None:
    folder = engine.disk / "inodes"
    folder.mkdir()
    with contextlib.suppress(OSError):
        for number in range(1_000_000):
            (folder / str(number)).touch()


def _make_room(engine: Engine) -> None:
    (engine.disk / "ballast").unlink(missing_ok=True)
    shutil.rmtree(engine.disk / "inodes", ignore_errors=True)


# addresses


def call(*words: str) -> None:
    """Run a program that must succeed."""
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{' '.join(words)}: {ended.stderr}"


async def foreign_network(lab: Lab) -> Row:
    """Somebody's network lies where the next of ours would."""
    async with lab.row("foreign network in our block") as row:
        given = {str(item[0]) for item in lab.server.rows("SELECT subnet FROM subnets")}
        first = _next_subnet(given)
        await docker("network", "create", "--subnet", first, f"foreign-{lab.server.run}")
        done = await lab.app.berth("deploy", lab.app.stack, "--tag", lab.other(), "--force")
        note(row, done)
        if done.code != 0:
            row.problems.append(done.err[-300:])
        await docker("network", "rm", f"foreign-{lab.server.run}")
    return row


async def foreign_address(lab: Lab) -> Row:
    """A stranger takes the address of a container of ours that is down for a moment."""
    async with lab.row("address taken by a foreign container", "its one web server is down") as row:
        names = await lab.app.containers(lab.live_number())
        web = next(name for name in names if "-web-" in name)
        template = "{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.IPAddress}}\n{{end}}"
        lines = (await docker("inspect", "--format", template, web)).split("\n")
        network, address = next(line.split() for line in lines if "-net " in line)
        await docker("stop", web)
        stranger = f"stranger-{lab.server.run}"
        image = ("--network", network, "--ip", address, "berthmaster/python:3.11", "sleep", "600")
        await docker("run", "--detach", "--name", stranger, *image)
        health = await lab.app.berth("health", lab.app.stack)
        row.said = health.out.strip().splitlines()[-1].strip()[:200]
        done = await lab.app.berth("deploy", lab.app.stack, "--tag", lab.other(), "--force")
        note(row, done)
        await docker("rm", "--force", stranger)
    return row


def _next_subnet(given: set[str]) -> str:
    networks = sorted(ipaddress.IPv4Network(item) for item in given)
    last = networks[-1]
    following = ipaddress.IPv4Address(int(last.broadcast_address) + 1)
    return f"{following}/{last.prefixlen}"


Fault = Callable[[Lab], Awaitable[Row]]


async def rows_of(lab: Lab, faults: Sequence[Fault]) -> list[Row]:
    """One after the other on the same server: each leaves it as good as it found it."""
    return [await fault(lab) for fault in faults]
