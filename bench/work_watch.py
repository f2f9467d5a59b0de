"""Who worked when: the lives of workers and schedulers, from the engine's events and their logs.

A life begins with a container's start and ends with its death; a restart is another life. Reads
only.
"""

import asyncio
import contextlib
import itertools
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from tests.scenario.commands import docker

WATCHED = ("worker", "beat")
READY = re.compile(r"celery@\S+ ready\.|beat: Starting\.\.\.")
TICK = re.compile(r"Scheduler: Sending due task schedule-endpoint-checks")
TICK_RUN = re.compile(r"Task monitors\.schedule_endpoint_checks\[([0-9a-f-]+)\] succeeded")
LAST_LINES_SECONDS = 5.0
NEVER = float("inf")


@dataclass
class Life:
    """One run of a worker or a scheduler; instants are seconds since the epoch."""

    container: str
    service: str
    broken: str  # in which way the release is broken; empty: good
    began: float
    release: int = 0  # 0: Compose has none
    addresses: frozenset[str] = frozenset()
    ready: float = NEVER
    asked: float = NEVER  # to stop
    ended: float = NEVER
    code: int | None = None

    @property
    def until(self) -> float:
        """When it stopped to take work."""
        return min(self.asked, self.ended)

    @property
    def is_crash(self) -> bool:
        """Whether it died without having been asked, or of something else before it had stopped."""
        return self.ended < NEVER and (self.asked > self.ended or self.code != 0)

    def had(self, address: str, at: float) -> bool:
        return address in self.addresses and self.began <= at <= self.ended + 1


@dataclass
class Watch:
    """What was seen of one stack so far."""

    project: str
    began: float = field(default_factory=time.time)
    lives: list[Life] = field(default_factory=list)
    ticks: set[float] = field(default_factory=set)  # sent by any scheduler
    tick_runs: Counter[str] = field(default_factory=Counter)  # by task, done by any worker
    _seen: set[tuple[str, str]] = field(default_factory=set)
    _followers: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)

    def of(self, service: str) -> list[Life]:
        return [life for life in self.lives if life.service == service]

    def gaps(self, service: str) -> list[tuple[float, float]]:
        """Stretches without a life that takes work, between the first and the last that did."""
        spans = sorted((life.ready, life.until) for life in self.of(service) if life.ready < NEVER)
        found, end = [], spans[0][1] if spans else NEVER
        for ready, until in spans[1:]:
            if ready > end:
                found.append((end, ready))
            end = max(end, until)
        return found

    def overlaps(self, service: str) -> int:
        """How often a life began before another one had ended."""
        lives = sorted(self.of(service), key=lambda life: life.began)
        pairs = itertools.pairwise(lives)
        return sum(after.began < before.ended for before, after in pairs)

    def ticks_too_close(self, seconds: float) -> int:
        """Ticks sent sooner after another than `seconds`."""
        ordered = sorted(self.ticks)
        return sum(after - before < seconds for before, after in itertools.pairwise(ordered))

    async def take(self, event: dict[str, object]) -> None:
        """Note one event of the engine."""
        actor, at = event["Actor"], int(str(event["timeNano"])) / 1e9
        assert isinstance(actor, dict)
        of, container = actor["Attributes"], str(actor["ID"])
        service = service_of(of, self.project)
        if service not in WATCHED:
            return
        if event["Action"] == "start":
            release = int(of.get("berthmaster.release", 0))
            await self._begin(Life(container, service, "", at, release))
            return
        life = next((item for item in reversed(self.lives) if item.container == container), None)
        if life is None:
            return
        if event["Action"] == "die":
            life.ended, life.code = at, int(of["exitCode"])
        elif of.get("signal") in ("15", "SIGTERM"):
            life.asked = min(life.asked, at)

    async def _begin(self, life: Life) -> None:
        container, at = life.container, life.began
        self.lives.append(life)
        said = json.loads(await docker("inspect", container, code=None) or "[]")
        for found in said:
            variables = dict(item.split("=", 1) for item in found["Config"]["Env"])
            life.broken = variables.get("BROKEN", "")
            networks = found["NetworkSettings"]["Networks"].values()
            life.addresses = frozenset(item["IPAddress"] for item in networks)
        if follower := self._followers.pop(container, None):
            follower.cancel()
        self._followers[container] = asyncio.create_task(self._follow(container, at))

    async def _follow(self, container: str, since: float) -> None:
        words = ("--follow", "--timestamps", "--since", f"{since:.9f}", container)
        async with _lines("docker", "logs", *words) as lines:
            async for line in lines:
                stamp, _, text = line.partition(" ")
                if (container + stamp, text) not in self._seen:
                    self._seen.add((container + stamp, text))
                    self._read(container, stamp, text)

    def _read(self, container: str, stamp: str, text: str) -> None:
        if TICK.search(text):
            self.ticks.add(instant(stamp))
        elif found := TICK_RUN.search(text):
            self.tick_runs[found[1]] += 1
        elif READY.search(text):
            at = instant(stamp)
            mine = [life for life in self.lives if life.container == container and life.began <= at]
            for life in mine[-1:]:
                life.ready = min(life.ready, at)

    async def finish(self) -> None:
        """Read what the logs of the dead still have, then stop."""
        living = {life.container for life in self.lives if life.ended == NEVER}
        dead = [task for name, task in self._followers.items() if name not in living]
        if dead:
            await asyncio.wait(dead, timeout=LAST_LINES_SECONDS)
        for task in self._followers.values():
            task.cancel()
        await asyncio.gather(*self._followers.values(), return_exceptions=True)


def service_of(labels: dict[str, str], project: str) -> str:
    """The service of a container of the stack; empty when it is another's, or a one-off."""
    mine = labels.get("com.docker.compose.project", "")
    is_mine = mine == project or mine.startswith(f"{project}-r")
    if (
        not is_mine
        or "berthmaster.job" in labels
        or labels.get("com.docker.compose.oneoff") == "True"
    ):
        return ""
    return labels.get("berthmaster.service") or labels.get("com.docker.compose.service", "")


def instant(stamp: str) -> float:
    """Seconds of the engine's time stamp, which has nine digits after the point."""
    whole, _, rest = stamp.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{rest or 0}")


@asynccontextmanager
async def watching(project: str) -> AsyncIterator[Watch]:
    """Watch a stack from now until the end of the block."""
    watch = Watch(project)
    task = asyncio.create_task(_events(watch))
    try:
        yield watch
    finally:
        await asyncio.sleep(1)  # the last events are on their way
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await watch.finish()


async def _events(watch: Watch) -> None:
    kinds = ("start", "die", "kill")
    filters = [word for kind in kinds for word in ("--filter", f"event={kind}")]
    words: Sequence[str] = ("--since", f"{watch.began:.9f}", "--format", "{{json .}}", *filters)
    async with _lines("docker", "events", "--filter", "type=container", *words) as lines:
        async for line in lines:
            await watch.take(json.loads(line))
    raise RuntimeError("the engine's events ended")


@asynccontextmanager
async def _lines(*command: str) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of a program that runs until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 20,
    )
    assert process.stdout is not None
    try:
        yield _decoded(process.stdout)
    finally:
        if not process.stdout.at_eof():  # else it ends by itself, and a signal might meet nobody
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        await process.wait()


async def _decoded(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    while line := await stream.readline():
        yield line.decode(errors="replace").rstrip("\n")
