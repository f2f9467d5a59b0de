"""What became of each task, of each tick and of each gap: the table of `scripts/bench work`.

Pure: counts what was seen, and compares it with what the plans said and with what must be.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.report import Budget, Cell, Report
from bench.work_queue import Queued
from bench.work_stack import TICK_SECONDS, Deployed
from bench.work_watch import Life, Watch

COLUMNS = ("what", "berth", "must be, or the plan's", "docker compose up -d")
# (kind of gap in a plan, service of the stack)
GAPS = (("no consumer", "worker"), ("no scheduler", "beat"))


@dataclass(frozen=True, slots=True)
class Arrival:
    """One check that came to the target, and whose it was."""

    task: int
    began: float
    ended: float | None
    is_whole: bool  # the asker was there until the answer
    life: Life | None


@dataclass
class Seen:
    """All that one run saw."""

    deployed: list[Deployed]
    watch: Watch
    queued: Queued
    lines: Sequence[Mapping[str, Any]]  # the target's
    results: Mapping[int, int]  # stored, by task
    arrivals: list[Arrival] = field(init=False)

    def __post_init__(self) -> None:
        self.arrivals = _arrivals(self.lines, self.watch)

    @property
    def by_task(self) -> dict[int, list[Arrival]]:
        found: dict[int, list[Arrival]] = defaultdict(list)
        for arrival in self.arrivals:
            found[arrival.task].append(arrival)
        return found

    def times(self) -> dict[int, int]:
        """How often each task that was surely queued has arrived."""
        found = self.by_task
        return {task: len(found.get(task, ())) for task in self.queued.tasks}

    def twice_without_a_death(self) -> int:
        """Tasks that arrived again although each earlier worker had lived to give its answer."""
        return sum(
            any(item.life is None or not item.life.is_crash for item in items[:-1])
            for items in self.by_task.values()
            if len(items) > 1
        )

    def never(self) -> list[int]:
        """Tasks that were surely queued and did not arrive."""
        return [task for task, count in self.times().items() if count == 0]

    def never_without_a_death(self) -> int:
        """Those that no worker which died can have had in hand.

        Redis gives a task away before the worker has noted that it has it: one that dies between
        the two takes the task along.
        """
        return sum(not self._is_taken_by_a_death(self.queued.tasks[task]) for task in self.never())

    def _is_taken_by_a_death(self, at: float) -> bool:
        """Whether the first worker that can have taken what was queued then died."""
        lives = sorted(self.watch.of("worker"), key=lambda life: life.began)
        takes = (life for life in lives if (life.ended if life.is_crash else life.until) > at)
        return any(life.is_crash for life in itertools.islice(takes, 1))

    def turned_back(self, life: Life | None) -> list[Deployed]:
        """The deploys that brought this worker's release in vain."""
        return [
            one
            for one in self.deployed
            if life is not None
            and (not one.is_good or one.state == "unwound")
            and (life.release == one.release if one.release else life.broken == one.tag)
        ]

    def by_turned_back(self) -> list[Arrival]:
        return [item for item in self.arrivals if self.turned_back(item.life)]

    def by_turned_back_afterwards(self) -> int:
        """Tasks taken by a release that had been turned back already."""
        return sum(
            not any(one.began <= item.began <= one.ended for one in self.turned_back(item.life))
            for item in self.by_turned_back()
        )

    def in_hand(self) -> list[Arrival]:
        """What a worker had in hand when it was asked to stop."""
        return [
            item
            for item in self.arrivals
            if item.life
            and item.began < item.life.asked < (item.ended or item.life.ended)
            and item.life.asked < float("inf")
        ]

    def gap(self, service: str) -> float:
        """The longest one, in seconds."""
        return max((end - begin for begin, end in self.watch.gaps(service)), default=0.0)

    def planned(self, kind: str) -> float:
        """The shortest limit that a plan gave."""
        return min((one.gaps[kind] for one in self.deployed if kind in one.gaps), default=0.0)

    def gaps_beyond_plan(self, kind: str, service: str) -> int:
        """Gaps that were longer than the plan of the deploy in which they began had said."""
        return sum(
            one.began <= begin < one.ended and end - begin > one.gaps.get(kind, 0.0)
            for begin, end in self.watch.gaps(service)
            for one in self.deployed
        )


def _arrivals(lines: Sequence[Mapping[str, Any]], watch: Watch) -> list[Arrival]:
    ends = {(line["task"], line["began"]): line for line in lines if "ended" in line}
    found = []
    for line in lines:
        if "ended" in line:
            continue
        end = ends.get((line["task"], line["began"]), {})
        lives = (life for life in watch.of("worker") if life.had(line["asker"], line["began"]))
        arrival = (line["task"], line["began"], end.get("ended"), end.get("whole", False))
        found.append(Arrival(*arrival, next(lives, None)))
    return sorted(found, key=lambda item: item.began)


def report_on(ours: Seen, theirs: Seen | None, machine: Mapping[str, Cell] | None = None) -> Report:
    """One column for each; only ours is judged."""
    report = Report("work", "Work done once while releases change (StatusWatch)", COLUMNS)
    report.machine = machine or report.machine
    beside = _column(theirs) if theirs else {}
    must = _musts(ours)
    report.rows = [
        (what, cell, must.get(what, "-"), beside.get(what, "-"))
        for what, cell in _column(ours).items()
    ]
    report.budgets = _budgets(ours)
    report.notes = [
        *(f"{one.tag}: {_arrived_in(ours, one)}" for one in ours.deployed if not one.is_good),
        *_failures(ours),
        *(
            f"not as wanted: {one.tag} exit {one.code} {one.state}"
            for one in ours.deployed
            if not one.is_as_wanted
        ),
    ]
    return report


def _arrived_in(seen: Seen, one: Deployed) -> str:
    count = sum(one.began <= item.began <= one.ended for item in seen.by_turned_back())
    return f"its worker took {count} tasks before it was turned back"


def _failures(seen: Seen) -> list[str]:
    """During which deploys, and which of their steps, requests failed while tasks were queued."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for at, how in seen.queued.failures:
        during = next((one for one in seen.deployed if one.began <= at <= one.ended), None)
        step = during.step_at(at) if during else ""
        found[f"{during.tag}, {step}" if during else "no deploy"][how] += 1
    return [f"requests that failed during {what}: {dict(count)}" for what, count in found.items()]


def _column(seen: Seen) -> dict[str, Cell]:
    times, in_hand = seen.times(), seen.in_hand()
    bad = [one for one in seen.deployed if not one.is_good]
    return {
        "good deploys": len(seen.deployed) - len(bad),
        "broken deploys, turned back": len(bad),
        "requests that failed while queueing": len(seen.queued.failures),
        "tasks queued": len(times),
        "perhaps queued (the answer was lost)": len(seen.queued.unsure),
        "arrived once": sum(count == 1 for count in times.values()),
        "arrived twice or more": sum(count > 1 for count in times.values()),
        "- without a worker's death before": seen.twice_without_a_death(),
        "never arrived": len(seen.never()),
        "- and no worker that died can have had it": seen.never_without_a_death(),
        "results stored twice": sum(count > 1 for count in seen.results.values()),
        "taken by a release that was turned back": len(seen.by_turned_back()),
        "- after it was turned back": seen.by_turned_back_afterwards(),
        "workers asked to stop": sum(x.asked < float("inf") for x in seen.watch.of("worker")),
        "tasks in hand then": len(in_hand),
        "- of these finished": sum(item.is_whole for item in in_hand),
        "workers that died": sum(life.is_crash for life in seen.watch.of("worker")),
        "ticks of the scheduler": len(seen.watch.ticks),
        "- sent twice": seen.watch.ticks_too_close(TICK_SECONDS / 2),
        "- run twice": sum(count > 1 for count in seen.watch.tick_runs.values()),
        "two schedulers at once": seen.watch.overlaps("beat"),
        **{f"longest gap: {kind}, s": round(seen.gap(name), 1) for kind, name in GAPS},
    }


def _musts(seen: Seen) -> dict[str, Cell]:
    zeros = (
        *("requests that failed while queueing", "- without a worker's death before"),
        "- and no worker that died can have had it",
        "taken by a release that was turned back",
        *("- after it was turned back", "- sent twice", "- run twice", "two schedulers at once"),
    )
    return {
        **dict.fromkeys(zeros, 0),
        "- of these finished": len(seen.in_hand()),
        **{f"longest gap: {kind}, s": f"at most {seen.planned(kind):.0f}" for kind, _ in GAPS},
    }


def _budgets(seen: Seen) -> list[Budget]:
    column = _column(seen)
    zeros = [
        ("deploys that did not end as they must", sum(not x.is_as_wanted for x in seen.deployed)),
        ("tasks lost, no worker died", seen.never_without_a_death()),
        ("tasks done twice, no worker died", column["- without a worker's death before"]),
        ("tasks taken by a release after it was turned back", column["- after it was turned back"]),
        ("tasks taken by a release that was turned back", len(seen.by_turned_back())),
        ("arrivals from nobody known", sum(item.life is None for item in seen.arrivals)),
        ("ticks sent twice", column["- sent twice"]),
        ("ticks run twice", column["- run twice"]),
        ("schedulers beside another", column["two schedulers at once"]),
        ("tasks in hand not finished", sum(not item.is_whole for item in seen.in_hand())),
        *(
            (f"gaps longer than planned: {kind}", seen.gaps_beyond_plan(kind, name))
            for kind, name in GAPS
        ),
    ]
    return [
        *(Budget(name, float(count), 0) for name, count in zeros),
        Budget("tasks in hand at a stop", len(seen.in_hand()), 1, is_floor=True),
        Budget("ticks seen", len(seen.watch.ticks), 1, is_floor=True),
    ]
