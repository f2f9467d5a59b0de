"""A checklist: what must be true of a stack, item by item, and how each is asked; pure.

An item that needs the outside world, or a person, is never said to hold: it is skipped with its
reason, or held in part when a piece of it can be asked here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from berthmaster.domain.spec import SmokeSpec


@dataclass(frozen=True, slots=True)
class Asked:
    """A request the public way, or a command in a container of the live release."""

    smoke: SmokeSpec


@dataclass(frozen=True, slots=True)
class Query:
    """SQL over a database of the stack, run read-only."""

    service: str
    sql: str
    database: str | None = None
    rows: tuple[tuple[str, ...], ...] | None = None  # exactly these
    count: int | None = None
    matches: str | None = None  # a pattern for each row, its columns divided by `|`


@dataclass(frozen=True, slots=True)
class Setting:
    """A variable that a service of the live release is told; its value is never shown."""

    service: str
    name: str
    matches: str | None = None
    length: int = 1  # at least


@dataclass(frozen=True, slots=True)
class Running:
    """Services whose containers run and are not unhealthy."""

    services: tuple[str, ...]


How = Asked | Query | Setting | Running


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a checklist; without `how` it is not asked here."""

    id: str
    text: str
    how: How | None = None
    outside: str | None = None  # what of it only the outside world can show
    manual: str | None = None  # what a person does


@dataclass(frozen=True, slots=True)
class Checklist:
    """A file of items."""

    title: str
    items: tuple[Item, ...]


class Verdict(StrEnum):
    """What came of an item."""

    OK = "ok"
    PARTLY = "partly"  # what can be asked here holds; the rest was not asked
    FAILED = "failed"
    SKIPPED = "skipped"  # not asked here at all


@dataclass(frozen=True, slots=True)
class Answer:
    """One item with its evidence."""

    item: Item
    verdict: Verdict
    evidence: str
    seconds: float = 0.0


def judge_rows(query: Query, rows: Sequence[Sequence[str]]) -> str:
    """Why rows are not what was wanted; empty when they are."""
    found = [tuple(row) for row in rows]
    if query.rows is not None and found != list(query.rows):
        return f"{len(query.rows)} other rows were wanted: {shown_rows(query.rows)}"
    if query.count is not None and len(found) != query.count:
        return f"{query.count} rows were wanted"
    if query.matches is not None:
        bad = [row for row in found if not re.search(query.matches, "|".join(row))]
        if bad or not found:
            return f"{'|'.join(bad[0]) if bad else 'no row'} does not match {query.matches}"
    return ""


def shown_rows(rows: Sequence[Sequence[str]]) -> str:
    """Rows as evidence: the first few, and how many there are."""
    some = "; ".join("|".join(row) for row in rows[:5])
    count = f"{len(rows)} row{'s' * (len(rows) != 1)}"
    return f"{count}: {some}{'; ...' if len(rows) > 5 else ''}" if rows else count


def judge_setting(setting: Setting, value: str | None) -> str:
    """Why a value is not good, without showing it; empty when it is."""
    if not value:
        return "is not set"
    if len(value) < setting.length:
        return f"has {len(value)} characters, {setting.length} are wanted"
    if setting.matches is not None and not re.search(setting.matches, value):
        return f"does not match {setting.matches}"
    return ""
