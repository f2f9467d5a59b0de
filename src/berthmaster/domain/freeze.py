"""Freeze windows: times in which an environment is not changed, and the text that says them; pure.

One window a line: `ENVIRONMENTS FROM UNTIL WHY`. `ENVIRONMENTS` is names with commas, or `*` for
every strict environment. `FROM` and `UNTIL` are instants with their offset (`2026-12-20T18:00Z`),
or `fri-16:00` and `mon-07:00` for each week in UTC; `always` stands for both. `#` begins a comment.
A file without any window freezes every strict environment for as long as it is there. It, and a
window whose reason begins with `cutover`, let a rehearsed release through.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from berthmaster.domain.errors import InvalidName
from berthmaster.domain.names import check_line

FREEZE_FILE: Final = ".deploy-freeze"  # beside berth.yaml
ALL: Final = "*"
CUTOVER: Final = "cutover"  # how the reason of such a window begins
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKLY: Final = re.compile(rf"({'|'.join(_DAYS)})-([01]\d|2[0-3]):([0-5]\d)\Z")
_WEEK: Final = timedelta(weeks=1)
Moment = datetime | timedelta  # an instant, or the time since Monday 00:00 UTC


@dataclass(frozen=True, slots=True)
class FreezeWindow:
    """One line of the file; `since` and `until` None: always."""

    environments: frozenset[str]
    since: Moment | None
    until: Moment | None
    why: str
    line: int = 0

    @property
    def is_for_cutover(self) -> bool:
        """Whether it lets what was rehearsed through: a bare file, or a reason that says so."""
        return self.line == 0 or self.why.lower().startswith(CUTOVER)

    def holds(self, environment: str, *, is_strict: bool, now: datetime) -> bool:
        """Whether the environment is frozen by this window at an instant."""
        if environment not in self.environments and not (ALL in self.environments and is_strict):
            return False
        if isinstance(self.since, datetime) and isinstance(self.until, datetime):
            return self.since <= now < self.until
        if isinstance(self.since, timedelta) and isinstance(self.until, timedelta):
            return (_of_week(now) - self.since) % _WEEK < (self.until - self.since) % _WEEK
        return True

    def end_after(self, now: datetime) -> datetime | None:
        """When it ends, as seen from an instant inside it; None: when the file changes."""
        if isinstance(self.until, timedelta):
            return now + (self.until - _of_week(now)) % _WEEK
        return self.until


def parse_freeze(text: str) -> tuple[FreezeWindow, ...]:
    """Read the file's text; raises `ValueError` with `line N: what is wrong`."""
    lines = [(number, line.partition("#")[0].split()) for number, line in _numbered(text)]
    found = tuple(_window(number, words) for number, words in lines if words)
    return found or (FreezeWindow(frozenset({ALL}), None, None, "the file names no window"),)


def frozen_by(
    windows: Iterable[FreezeWindow], environment: str, *, is_strict: bool, now: datetime
) -> FreezeWindow | None:
    """The first window that freezes an environment now."""
    held = (item for item in windows if item.holds(environment, is_strict=is_strict, now=now))
    return next(held, None)


def _numbered(text: str) -> Iterable[tuple[int, str]]:
    return enumerate(text.splitlines(), start=1)


def _window(number: int, words: list[str]) -> FreezeWindow:
    environments = frozenset(words[0].split(","))
    if len(words) > 1 and words[1] == "always":
        return FreezeWindow(environments, None, None, _why(number, words[2:]), number)
    if len(words) < 3:
        raise ValueError(f"line {number}: write ENVIRONMENTS FROM UNTIL WHY")
    since, until = _moment(number, words[1]), _moment(number, words[2])
    if type(since) is not type(until):
        raise ValueError(f"line {number}: both ends are instants, or both are days of the week")
    if isinstance(since, datetime) and isinstance(until, datetime) and until <= since:
        raise ValueError(f"line {number}: {words[2]} is not after {words[1]}")
    return FreezeWindow(environments, since, until, _why(number, words[3:]), number)


def _why(number: int, words: list[str]) -> str:
    if not words:
        raise ValueError(f"line {number}: the reason is missing")
    try:
        return check_line("the reason", " ".join(words))
    except InvalidName as error:
        raise ValueError(f"line {number}: {error.message}") from error


def _moment(number: int, word: str) -> Moment:
    if match := _WEEKLY.match(word.lower()):
        day, hour, minute = match.groups()
        return timedelta(days=_DAYS.index(day), hours=int(hour), minutes=int(minute))
    try:
        found = datetime.fromisoformat(word)
    except ValueError:
        raise ValueError(
            f"line {number}: {word!r} is no instant: write 2026-12-20T18:00Z, or fri-16:00"
        ) from None
    if found.tzinfo is None:
        raise ValueError(f"line {number}: {word} names no offset: write {word}Z, or +01:00")
    return found


def _of_week(now: datetime) -> timedelta:
    there = now.astimezone(UTC)
    midnight = there.replace(hour=0, minute=0, second=0, microsecond=0)
    return timedelta(days=there.weekday()) + (there - midnight)
