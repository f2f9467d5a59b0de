"""What became of each kill: one line a kill, merged over runs, and the table made from all of them.

A whole run takes longer than a working day has quiet hours, so it is made in parts: each kill is
written down when it is over, and a later one at the same place takes its line's place.
"""

import fcntl
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.report import RESULTS, Budget, Cell, Report
from berthmaster.engine.failpoints import POINTS

COLUMNS = (
    *("scenario", "steps", "kills", "whole", "recovered", "requests lost", "requests"),
    *("needed hands", "killed again while recovering", "slowest recovery, s"),
)
Place = tuple[str, int, str]  # scenario, step, point


@dataclass
class Kill:
    """One kill and what became of it."""

    scenario: str
    step: int
    point: str
    signal: str = "kill"
    action: str = ""
    state: str = ""  # of the deployment, after recovery
    recovery_seconds: float = 0.0
    is_killed_twice: bool = False
    asked: int = 0
    steps: int = 0  # of the plan
    lost: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # what is not as promised
    is_hit: bool = True  # else the command ended before it reached the place
    at: str = field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M", time.gmtime()))
    load: float = field(default_factory=lambda: round(os.getloadavg()[0], 1))

    @property
    def place(self) -> Place:
        return (self.scenario, self.step, self.point)

    @property
    def is_recovered(self) -> bool:
        return not self.faults and not self.lost

    def line(self) -> str:
        """What a person reads while it runs."""
        twice = " (twice)" if self.is_killed_twice else ""
        verdict = "ok" if self.is_recovered else f"BAD {self.faults} lost {self.lost[:5]}"
        return (
            f"{self.scenario} {self.step}:{self.point}@{self.signal} {self.action}{twice}"
            f" -> {self.state}"
            f" in {self.recovery_seconds} s, {self.asked} asked: {verdict}"
        )


class Ledger:
    """The kills of all runs with one signal, in a file of lines; several processes may add."""

    def __init__(self, signal_name: str, folder: Path = RESULTS) -> None:
        self.name = "kill" if signal_name == "kill" else f"kill-{signal_name}"
        self.path = folder / f"{self.name}.jsonl"

    def read(self) -> dict[Place, Kill]:
        """The last kill at each place."""
        if not self.path.exists():
            return {}
        kills = (Kill(**json.loads(line)) for line in self.path.read_text().splitlines())
        return {kill.place: kill for kill in kills}

    def settled(self) -> dict[Place, Kill]:
        """Places that need no other kill: one that was not recovered is tried again."""
        return {place: kill for place, kill in self.read().items() if kill.is_recovered}

    def add(self, kill: Kill) -> None:
        """Write one down at once: whatever ends the run keeps what it has found."""
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps(asdict(kill)) + "\n")

    def tidy(self) -> None:
        """Keep the last line of each place, in order."""
        if not self.path.exists():
            return
        with self.path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            kills = sorted(self.read().values(), key=lambda kill: (kill.scenario, kill.step))
            file.truncate()
            file.write("".join(json.dumps(asdict(kill)) + "\n" for kill in kills))


def report_on(
    kills: Sequence[Kill], broken: Sequence[tuple[str, str]] = (), sent: str = "kill"
) -> Report:
    """One row a scenario; a kill that needs hands or loses a request misses the budget."""
    title = f"SIG{sent.upper()} at every step, then the next command"
    report = Report(Ledger(sent).name, title, COLUMNS)
    names = list(dict.fromkeys(kill.scenario for kill in kills))
    by_name = {name: [kill for kill in kills if kill.scenario == name] for name in names}
    report.rows = [_row(name, [mine]) for name, mine in by_name.items()]
    report.rows.append(_row("all", list(by_name.values())))
    bad = [kill for kill in kills if not kill.is_recovered]
    report.budgets = [
        Budget("kills not recovered", len(bad), 0),
        Budget("requests lost", sum(len(kill.lost) for kill in kills), 0),
        Budget("scenarios that broke off", len(broken), 0),
    ]
    report.notes = [f"{name} broke off: {why}" for name, why in broken]
    report.notes += [kill.line() for kill in bad]
    if kills:
        loads, dates = [kill.load for kill in kills], [kill.at for kill in kills]
        report.notes.append(
            f"killed from {min(dates)} to {max(dates)}, load {min(loads):g} to {max(loads):g}"
        )
    return report


def places_of(kills: Sequence[Kill]) -> int:
    """All steps of a scenario's plan times the three points; more when `during` was tried, too."""
    points = {*POINTS, *(kill.point for kill in kills)}
    return max((kill.steps for kill in kills), default=0) * len(points)


def _row(name: str, scenarios: Sequence[Sequence[Kill]]) -> tuple[Cell, ...]:
    tried = [kill for kills in scenarios for kill in kills]
    hit = [kill for kill in tried if kill.is_hit]
    places = sum(map(places_of, scenarios))
    done = sum(len({kill.step for kill in kills}) for kills in scenarios)
    steps = sum(max((kill.steps for kill in kills), default=0) for kills in scenarios)
    return (
        name,
        f"{done} of {steps}",
        len(hit),
        "yes" if tried and len(tried) >= places else f"no: {len(tried)} of {places}",
        sum(kill.is_recovered for kill in hit),
        sum(len(kill.lost) for kill in hit),
        sum(kill.asked for kill in hit),
        sum(bool(kill.faults) for kill in hit),
        sum(kill.is_killed_twice for kill in hit),
        max((kill.recovery_seconds for kill in hit), default=0.0),
    )
