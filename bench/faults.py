"""What surrounds Berthmaster fails: Docker, the machine, registry, disk, gateway, store, clock,
addresses. The table of `scripts/bench faults`.

Every fault happens on an engine in a network namespace of its own; somebody asks all the time, and
the only command afterwards is `berth tick` (`restore-store` for a damaged store). Changes nothing
outside the servers that it makes.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.scenario import surroundings as fault
from tests.scenario.engine import Engine
from tests.scenario.surroundings import Fault, Row, laboratory

from bench.report import RESULTS, Budget, Report, observe_machine

COLUMNS = (
    *("fault", "exit code", "berth says", "afterwards", "requests lost", "requests"),
    *("seconds to recovery", "needed hands"),
)
MAY_LOSE = "may lose, because"
FREEZE_SECONDS = 60.0
DISK = "1500m"  # images, containers and the state folder of one small stack, and little more


def stops(*steps: str) -> list[Fault]:
    return [partial(fault.docker_stops, step=step) for step in steps]


LABS: dict[str, list[Fault]] = {
    "docker": [
        *stops("await ready", "watch"),
        partial(fault.machine_reboots, step=None),
        partial(fault.machine_reboots, step="await ready"),
        partial(fault.machine_reboots, step="watch"),
    ],
    "live-restore": [
        *stops("start", "await ready", "watch"),
        partial(fault.docker_freezes, seconds=FREEZE_SECONDS, step="await ready"),
        partial(fault.docker_freezes, seconds=FREEZE_SECONDS, step="watch"),
    ],
    "server": [
        partial(fault.gateway_dies, part="router"),
        partial(fault.gateway_dies, part="edge"),
        partial(fault.map_truncated, dies=False),
        partial(fault.map_truncated, dies=True),
        fault.configuration_edited,
        partial(fault.store_locked, seconds=8.0),
        fault.store_read_only,
        *(partial(fault.store_damaged, how=how) for how in ("overwritten", "emptied", "removed")),
        fault.foreign_network,
        fault.foreign_address,
    ],
    "clock": [partial(fault.clock_stepped, hours=hours) for hours in (-1, 1)],
    "registry": [
        *(partial(fault.registry_misbehaves, mood=mood) for mood in ("wrong", "busy", "broken")),
        fault.registry_down,
        partial(fault.registry_misbehaves, mood="busy", refusals=1),
        partial(fault.registry_misbehaves, mood="slow"),
    ],
    "disk": [
        partial(fault.disk_full, step=step, what=what)
        for what in ("disk", "inodes")
        for step in (None, "place", "start", "await ready", "watch")
    ],
}


def disturb(lab: str) -> list[Row]:
    """All faults of one laboratory, one after the other."""
    size = DISK if lab == "disk" else None
    with laboratory(live_restore=lab == "live-restore", size=size) as engine:
        return asyncio.run(_rows(engine, LABS[lab]))


def disturb_all(labs: Sequence[str], jobs: int) -> list[Row]:
    """Laboratories side by side, each in a process of its own: each is a server of its own."""
    with ProcessPoolExecutor(jobs, max_tasks_per_child=1) as pool:
        return [row for rows in pool.map(disturb, labs) for row in rows]


async def _rows(engine: Engine, faults: Sequence[Fault]) -> list[Row]:
    lab, rows = await fault.furnish(engine), list[Row]()
    for one in faults:
        if (
            isinstance(one, partial)
            and one.func is fault.clock_stepped
            and fault.faketime() is None
        ):
            continue
        try:
            rows.append(await one(lab))
        except (TimeoutError, AssertionError) as error:  # the others are worth seeing all the same
            rows.append(Row(name_of(one), problems=[f"was not tried: {error or 'not in time'}"]))
        print(_line(rows[-1]), file=sys.stderr, flush=True)
    return rows


def name_of(one: Fault) -> str:
    """How a fault is called when it does not tell itself."""
    if not isinstance(one, partial):
        return getattr(one, "__name__", "fault").replace("_", " ")
    words = " ".join(map(str, one.keywords.values()))
    return f"{one.func.__name__.replace('_', ' ')} {words}"


def report_on(rows: Sequence[Row]) -> Report:
    """One row a fault; hands, or a loss that nothing excuses, miss the budget."""
    report = Report("faults", "what surrounds it fails, then `berth tick`", COLUMNS)
    for row in rows:
        hands = len(row.problems)
        report.rows.append(
            (row.fault, row.code, row.said, row.state, row.lost, row.asked, row.seconds, hands)
        )
    report.notes = [f"{row.fault}: {problem}" for row in rows for problem in row.problems]
    report.notes += [f"{row.fault}: {MAY_LOSE} {row.may_lose}" for row in rows if row.lost]
    _judge(report)
    if fault.faketime() is None:
        report.notes.append(
            "the clock was not stepped: the package faketime is missing (scripts/bootstrap --tests)"
        )
    return report


def keep_others(report: Report, path: Path) -> None:
    """Rows of an earlier run for what this one did not try, with their notes."""
    if not path.exists():
        return
    earlier, mine = json.loads(path.read_text()), {row[0] for row in report.rows}
    kept = [row for row in earlier["rows"] if row["fault"] not in mine]
    if not kept:
        return
    report.rows = [*(tuple(row[name] for name in COLUMNS) for row in kept), *report.rows]
    names = tuple(f"{row['fault']}: " for row in kept)
    report.notes = [*(x for x in earlier["notes"] if x.startswith(names)), *report.notes]
    report.notes.append(f"{len(kept)} rows are from {earlier['machine']['date']}")
    _judge(report)


def _judge(report: Report) -> None:
    excused = {note.partition(f": {MAY_LOSE}")[0] for note in report.notes if MAY_LOSE in note}
    hands, lost = COLUMNS.index("needed hands"), COLUMNS.index("requests lost")
    unexcused = (int(row[lost]) for row in report.rows if row[0] not in excused)
    report.budgets = [
        Budget("faults that needed hands", sum(bool(row[hands]) for row in report.rows), 0),
        Budget("requests lost where none may be", sum(unexcused), 0),
    ]


def _line(row: Row) -> str:
    verdict = "ok" if row.is_good else f"BAD {row.problems}"
    return f"{row.fault}: exit {row.code}, {row.lost} of {row.asked} lost, {row.state}: {verdict}"


def main() -> int:
    """Some laboratories only: `--only disk`; 1 when a fault needed hands or lost a request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=LABS, action="append")
    parser.add_argument("--jobs", type=int, default=2, help="laboratories side by side")
    parser.add_argument("--json", action="store_true", help="write bench/results too")
    given = parser.parse_args()
    machine = observe_machine()  # before it is busy
    rows = disturb_all(given.only or list(LABS), given.jobs)
    report = report_on(rows)
    report.machine = machine
    report.print()
    if given.json:
        keep_others(report, RESULTS / "faults.json")
        report.save()
    return 0 if rows and report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
