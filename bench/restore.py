"""Ten stacks with data are backed up, lost with their server, and brought back on another engine.

The table of `scripts/bench restore`. Each engine is in a network namespace of its own. Every stack
is written to during the backup that counts, so that what a loss takes can be read from the rows
that come back. `--harm` is the other half: backups and a restore that are killed (SIGKILL) and made
again, and a damaged file in the target; its figures are in `restore-harm.json`.
"""

import argparse
import asyncio
import functools
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from tests.scenario.commands import Ended, end, start
from tests.scenario.dsl import App
from tests.scenario.engine import Engine
from tests.scenario.lost_server import (
    IMAGES_OF_SERVER,
    LOGIN,
    MARIADB,
    POSTGRES,
    Lost,
    contents,
    damage,
    fill,
    kind_of,
    sql,
)
from tests.scenario.server import until

from bench.report import Budget, Report

T = TypeVar("T")
STACKS: Final = 10
HARMED_STACKS: Final = 3
AT_ONCE: Final = 4  # of what is done to every stack beside the measured commands
LIMIT_SECONDS: Final = 300.0  # of a command, or until a kill
TICKS: Final = {
    POSTGRES: "CREATE TABLE ticks (number serial PRIMARY KEY,"
    " at timestamptz NOT NULL DEFAULT clock_timestamp())",
    MARIADB: "CREATE TABLE ticks (number int AUTO_INCREMENT PRIMARY KEY,"
    " at timestamp(6) NOT NULL DEFAULT current_timestamp(6)); CREATE TABLE silence (n int)",
}
# One connection that writes five times a second until it is ended, at most for seven minutes.
TICKING: Final = {
    POSTGRES: "DO $$ BEGIN SET application_name = 'ticks'; FOR turn IN 1..2000 LOOP"
    " INSERT INTO ticks DEFAULT VALUES; COMMIT; PERFORM pg_sleep(0.2); END LOOP; END $$",
    MARIADB: "delimiter //\nBEGIN NOT ATOMIC FOR turn IN 1..2000 DO INSERT INTO ticks () VALUES ();"
    " DO SLEEP(0.2); IF EXISTS (SELECT * FROM silence) THEN SIGNAL SQLSTATE '45000'; END IF;"
    " END FOR; END//",
}
SILENCE: Final = {
    POSTGRES: "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'ticks'",
    MARIADB: "INSERT INTO silence VALUES (1)",
}
TICKED: Final = {
    POSTGRES: "SELECT count(*), max(number), extract(epoch FROM max(at)) FROM ticks",
    MARIADB: "SELECT count(*), max(number), unix_timestamp(max(at)) FROM ticks",
}


def main() -> int:
    """Exit code 1 when something did not come back, or damage was not found."""
    parser = argparse.ArgumentParser(prog="scripts/bench restore", description=__doc__)
    parser.add_argument("--stacks", type=int, help=f"{STACKS}, or {HARMED_STACKS} with --harm")
    parser.add_argument("--harm", action="store_true", help="kill, damage, and make it good again")
    parser.add_argument("--json", action="store_true", help="write bench/results/restore.json too")
    given = parser.parse_args()
    stacks = given.stacks or (HARMED_STACKS if given.harm else STACKS)
    report = measure(stacks, is_harmed=given.harm)
    report.print()
    if given.json:
        report.save()
    return 0 if report.is_good else 1


def measure(stacks: int, *, is_harmed: bool) -> Report:
    """Lose a server and get it back."""
    how = "killed and damaged on the way" if is_harmed else "lost with their server, brought back"
    title = f"{stacks} stacks (PostgreSQL, one MariaDB; Redis, files), {how}"
    columns = ("what", "seconds", "MB read", "MB new in the target")
    report = Report("restore-harm" if is_harmed else "restore", title, columns)
    root = Path(tempfile.mkdtemp(prefix="bl-"))
    old, fresh = Engine(), Engine()
    try:
        bench = Bench(Lost(root, old), report)
        old.start(IMAGES_OF_SERVER)
        with old.inside():
            asyncio.run(bench.live(stacks))
            asyncio.run(bench.save_harmed() if is_harmed else bench.save())
        bench.lost.lose(fresh)
        fresh.start()
        with fresh.inside():
            asyncio.run(bench.come_back_killed() if is_harmed else bench.come_back())
    finally:
        for engine in (old, fresh):
            engine.destroy()
        shutil.rmtree(root, ignore_errors=True)
    bench.judge(is_harmed=is_harmed)
    return report


@dataclass
class Bench:
    """One run: the server that is lost, and what must be found afterwards."""

    lost: Lost
    report: Report
    apps: list[App] = field(default_factory=list)
    before: dict[str, dict[str, str]] = field(default_factory=dict)
    backup_ended_at: float = 0.0
    begin: float = field(default_factory=time.monotonic)
    begun_at: float = 0.0  # of the backup that is to be killed
    lost_seconds: float = 0.0  # between the newest row that came back and the end of the backup
    wrong: int = 0  # stacks whose contents differ, over all restores
    silent: int = 0
    holes: int = 0  # rows missing below the newest that came back
    unnamed: int = 0  # damage that --verify did not name

    async def live(self, stacks: int) -> None:
        """Apps that serve, with data."""
        self.lost.server.backends = 4 * stacks + 20
        await self.lost.server.set_up()
        self.apps = await self._make(stacks)
        await self._each(lambda app: sql(app, TICKS[kind_of(app)]))

    async def save(self) -> None:
        """Backups with everything new, nothing new, and something new in every stack."""
        self._add("first backup", await self.lost.back_up("--json"))
        self._add("again, nothing changed", await self.lost.back_up("--json"))
        await self._fill_more()
        await self._back_up_written_to("again, 5,000 rows and 0.3 MB more in each, written to")

    async def save_harmed(self) -> None:
        """Two backups are killed, the next is whole; then a file of the target is damaged."""
        await self.lost.back_up("--json")
        await self._fill_more()
        half = max(1, len(self.apps) // 2)
        await self._back_up_killed(f"{half} of {len(self.apps)} dumped", self._is_half_dumped)
        await self._back_up_killed("files being saved", self._are_files_read)
        await self._back_up_written_to("the same after both kills, written to")
        await self._damaged()

    async def _fill_more(self) -> None:
        await self._each(functools.partial(fill, begin=10_000))
        self.before = dict(await self._each(_named_contents))

    async def come_back(self) -> None:
        """One command without a break, and a look at everything."""
        begin = time.monotonic()
        done = await self.lost.restore()
        self._took("restore on a fresh server, until every stack serves", begin)
        self.report.notes.append(f"the restore says: {done.out.strip().splitlines()[-1]}")
        await self._look()

    async def come_back_killed(self) -> None:
        """Killed when some stacks serve and others are on their way; the second run ends it."""
        begin = time.monotonic()
        some = max(1, len(self.apps) // 3)
        await self._restore_killed(f"{some} stacks back", lambda: self._restored("stack:") >= some)
        await self.lost.restore()
        self._took("restore on a fresh server, killed on the way, in all", begin)
        await self._look()

    def judge(self, *, is_harmed: bool) -> None:
        """What must be, and what a loss takes."""
        self.report.budgets += [
            Budget("stacks that do not answer over HTTPS", self.silent, 0),
            Budget("stacks whose rows, keys or files differ", self.wrong, 0),
            Budget("rows missing below the newest that came back", self.holes, 0),
        ]
        if is_harmed:
            self.report.budgets.append(
                Budget("damage in the target that was not named", self.unnamed, 0)
            )
        self.report.notes.append(
            f"lost: what was written in the {self.lost_seconds:.1f} s before the backup ended (the"
            " stack dumped first), and since; with the timer's one backup a day at most a day more"
        )

    async def _back_up_written_to(self, what: str) -> None:
        writing = [asyncio.create_task(_write(app)) for app in self.apps]
        await self._each(lambda app: until(lambda: _ticks(app), seconds=LIMIT_SECONDS))
        done = await self.lost.back_up("--json")
        self.backup_ended_at = time.time()
        self._add(what, done)
        await self._each(lambda app: sql(app, SILENCE[kind_of(app)]))
        await asyncio.gather(*writing)

    async def _back_up_killed(self, where: str, is_there: Callable[[], bool]) -> None:
        self.begun_at = time.time()
        process = await self.lost.server.start("server", "backup", "--to", str(self.lost.target))
        await self._kill(process, f"backup killed: {where}", is_there)

    async def _restore_killed(self, where: str, is_there: Callable[[], bool]) -> None:
        process = await self.lost.server.start(*self.lost.restoring())
        await self._kill(process, f"restore killed: {where}", is_there)

    async def _kill(
        self, process: asyncio.subprocess.Process, what: str, is_there: Callable[[], bool]
    ) -> None:
        begin = time.monotonic()
        await until(lambda: is_there() or process.returncode is not None, seconds=LIMIT_SECONDS)
        assert process.returncode is None, f"{what}: it ended before"
        process.kill()
        await end(process, seconds=LIMIT_SECONDS)
        self._took(what, begin)

    def _is_half_dumped(self) -> bool:
        points = (self.lost.server.state / "dumps").glob("*/backup-*")
        new = [path for path in points if path.stat().st_mtime > self.begun_at]
        return len(new) >= max(1, len(self.apps) // 2)

    def _are_files_read(self) -> bool:
        manifest = self.lost.server.state / "backup-now/manifest.json"
        return manifest.exists() and manifest.stat().st_mtime > self.begun_at

    def _restored(self, step: str) -> int:
        path = self.lost.server.state / "restore.json"
        steps = json.loads(path.read_text())["steps"] if path.exists() else ()
        return sum(item.startswith(step) for item in steps)

    async def _damaged(self) -> None:
        copy = self.lost.root / "damaged"
        shutil.copytree(self.lost.target, copy)
        name, begin = damage(copy), time.monotonic()
        words = ("server", "backup", "--to", str(copy), "--verify")
        done = await end(await self.lost.server.start(*words), seconds=LIMIT_SECONDS)
        self._took("verify: all read again, restored on trial; one damaged file named", begin)
        shutil.rmtree(copy)
        lines = [line for line in done.out.splitlines() if line.startswith("damaged: ")]
        is_named = done.code == 3 and any(f"data/{name[:2]}/{name}" in line for line in lines)
        self.unnamed += not is_named
        self.report.notes += [line.replace(str(copy), "TARGET")[:160] for line in lines[:3]]

    async def _look(self) -> None:
        await self._each(self._look_at)
        self._say("looked at every stack")

    async def _look_at(self, app: App) -> None:
        answer, found = await app.ask(), await contents(app)
        count, newest, at = re.split(r"[|\t]", await sql(app, TICKED[kind_of(app)]))
        self.silent += answer.status != 200
        self.wrong += found != self.before[app.name]
        self.holes += int(newest) - int(count)
        self.lost_seconds = max(self.lost_seconds, self.backup_ended_at - float(at))

    async def _make(self, stacks: int) -> list[App]:
        """A few at a time."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> list[App]:
            async with limit:
                kind = POSTGRES if number else MARIADB  # one of them has the other database
                return await self.lost.make([f"shop{number}"], kind)

        made = await asyncio.gather(*map(one, range(stacks)))
        self._say("stacks serve")
        return [app for apps in made for app in apps]

    async def _each(self, work: Callable[[App], Awaitable[T]]) -> list[T]:
        """The same for every stack, a few at a time."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(app: App) -> T:
            async with limit:
                return await work(app)

        return list(await asyncio.gather(*map(one, self.apps)))

    def _say(self, what: str) -> None:
        print(f"{time.monotonic() - self.begin:6.1f} s  {what}", file=sys.stderr, flush=True)

    def _add(self, what: str, done: Ended) -> None:
        found = done.json()
        megabytes = (round(found[name] / 1e6, 1) for name in ("bytes_read", "bytes_added"))
        self.report.rows.append((what, round(found["seconds"], 1), *megabytes))
        self._say(what)

    def _took(self, what: str, begin: float) -> None:
        self.report.rows.append((what, round(time.monotonic() - begin, 1), "", ""))
        self._say(what)


async def _write(app: App) -> None:
    words = ("docker", "exec", f"{app.project}-db-1", *LOGIN[kind_of(app)])
    await end(await start(*words, TICKING[kind_of(app)]), seconds=LIMIT_SECONDS + 120)


async def _named_contents(app: App) -> tuple[str, dict[str, str]]:
    return app.name, await contents(app)


async def _ticks(app: App) -> bool:
    return int(await sql(app, "SELECT count(*) FROM ticks")) > 0


if __name__ == "__main__":
    sys.exit(main())
