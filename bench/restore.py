"""Ten stacks with data are backed up, lost with their server, and brought back on another engine.

The table of `scripts/bench restore`: seconds, bytes, what a second backup adds, what is lost, and
whether everything that came back is equal. Both engines are in network namespaces of their own.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.scenario.commands import Ended
from tests.scenario.dsl import App
from tests.scenario.engine import Engine
from tests.scenario.lost_server import IMAGES_OF_SERVER, Lost, contents, fill

from bench.report import Budget, Report

STACKS = 10


def main() -> int:
    """Exit code 1 when something did not come back."""
    parser = argparse.ArgumentParser(prog="scripts/bench restore", description=__doc__)
    parser.add_argument("--stacks", type=int, default=STACKS)
    parser.add_argument("--json", action="store_true", help="write bench/results/restore.json too")
    given = parser.parse_args()
    report = measure(given.stacks)
    report.print()
    if given.json:
        report.save()
    return 0 if report.is_good else 1


def measure(stacks: int) -> Report:
    """Lose a server and get it back."""
    report = Report(
        "restore",
        f"{stacks} stacks (PostgreSQL, Redis, a volume each) lost and brought back",
        ("what", "seconds", "MB read", "MB new in the target"),
    )
    root = Path(tempfile.mkdtemp(prefix="bl-"))
    old, fresh = Engine(), Engine()
    try:
        old.start(IMAGES_OF_SERVER)
        lost = Lost(root, old)
        with old.inside():
            before = asyncio.run(_live(lost, stacks, report))
        lost.lose(fresh)
        fresh.start()
        with fresh.inside():
            asyncio.run(_come_back(lost, before, report))
    finally:
        old.destroy()
        fresh.destroy()
        shutil.rmtree(root, ignore_errors=True)
    return report


async def _live(lost: Lost, stacks: int, report: Report) -> dict[str, dict[str, str]]:
    lost.server.backends = 4 * stacks + 20
    await lost.server.set_up()
    apps = await lost.make([f"shop{number}" for number in range(stacks)])
    _add(report, "first backup", await lost.back_up("--json"))
    _add(report, "second backup, nothing changed", await lost.back_up("--json"))
    for app in apps:
        await fill(app, begin=10_000)
    third = await lost.back_up("--json")
    _add(report, "third backup, 5,000 rows and 0.3 MB of files more in each", third)
    begin = time.monotonic()
    verified = await lost.back_up("--verify")
    report.rows.append(("verify: all read again, restored on trial", _since(begin), "", ""))
    assert "is sound" in verified.out, verified.said
    return {app.name: await contents(app) for app in apps}


async def _come_back(lost: Lost, before: dict[str, dict[str, str]], report: Report) -> None:
    begin = time.monotonic()
    done = await lost.restore()
    report.rows.append(("restore on a fresh server: every stack answers", _since(begin), "", ""))
    wrong, silent = [], []
    for name, wanted in before.items():
        app = App(lost.server, name.removesuffix(f"-{lost.server.run}"))
        if (await app.ask()).status != 200:
            silent.append(name)
        if await contents(app) != wanted:
            wrong.append(name)
    report.budgets += [
        Budget("stacks that do not answer over HTTPS", len(silent), 0),
        Budget("stacks whose rows, keys or files differ", len(wrong), 0),
    ]
    report.notes.append(
        "lost is what was written after the backup began: with the timer at most a day and the"
        " seconds of one backup; rows by the dump of their database, files by the moment of reading"
    )
    report.notes.append(done.out.strip().splitlines()[-1])


def _add(report: Report, what: str, done: Ended) -> None:
    found = done.json()
    report.rows.append(
        (what, found["seconds"], found["bytes_read"] / 1e6, found["bytes_added"] / 1e6)
    )


def _since(begin: float) -> float:
    return round(time.monotonic() - begin, 1)


if __name__ == "__main__":
    sys.exit(main())
