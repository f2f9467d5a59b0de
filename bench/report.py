"""How a figure is printed, kept and judged: one table, one JSON file, budgets met or missed.

A budget is a limit on a measured value; `scripts/bench` fails when one is missed or when a negative
control, which must show a loss, shows none.
"""

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results")
Cell = str | int | float


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit from the design, and what was measured against it."""

    name: str
    measured: float
    limit: float
    unit: str = ""
    is_floor: bool = False  # at least, not at most

    @property
    def is_met(self) -> bool:
        """Whether the measured value is on the right side; the limit itself is."""
        return self.measured >= self.limit if self.is_floor else self.measured <= self.limit

    def text(self) -> str:
        """`met` or `missed`, with both values."""
        side = "at least" if self.is_floor else "at most"
        verdict = "met" if self.is_met else "MISSED"
        limit = f"{side} {self.limit:g}{self.unit}"
        return f"{verdict:6} {self.name}: {self.measured:.4g}{self.unit}, budget {limit}"


@dataclass(slots=True)
class Report:
    """What one bench measured."""

    name: str
    title: str
    columns: Sequence[str]
    rows: list[Sequence[Cell]] = field(default_factory=list)
    budgets: list[Budget] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    machine: Mapping[str, Cell] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.machine = self.machine or observe_machine()

    @property
    def is_good(self) -> bool:
        """Whether every budget is met."""
        return all(budget.is_met for budget in self.budgets)

    def print(self) -> None:
        """The table, then budgets and notes, to standard output."""
        console = Console(width=120, highlight=False)
        table = Table(title=self.title, title_justify="left")
        for number, heading in enumerate(self.columns):
            table.add_column(heading, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*(_text(cell) for cell in row))
        console.print(table)
        for line in [*(budget.text() for budget in self.budgets), *self.notes]:
            console.print(line, markup=False)
        console.print("  ".join(f"{key} {value}" for key, value in self.machine.items()))

    def save(self, folder: Path = RESULTS) -> Path:
        """Write `<name>.json` and return its path."""
        folder.mkdir(exist_ok=True)
        path = folder / f"{self.name}.json"
        data = {
            "title": self.title,
            "machine": dict(self.machine),
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
            "budgets": [
                {
                    "name": budget.name,
                    "measured": round(budget.measured, 4),
                    "limit": budget.limit,
                    "unit": budget.unit.strip(),
                    "side": "at least" if budget.is_floor else "at most",
                    "met": budget.is_met,
                }
                for budget in self.budgets
            ],
            "notes": self.notes,
        }
        path.write_text(json.dumps(data, indent=2) + "\n")
        return path


def observe_machine() -> dict[str, Cell]:
    """What the figures were measured on, and how busy it was when they began."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": os.cpu_count() or 0,
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "engine": _output("docker", "version", "--format", "{{.Server.Version}}"),
        "compose": _output("docker", "compose", "version", "--short"),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _output(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def _text(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else cell
