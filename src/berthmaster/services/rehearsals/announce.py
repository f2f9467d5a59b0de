"""`berth rehearse announce`: tell of the window in which a rehearsed release will ship.

The window is a line of `.deploy-freeze` whose reason begins with `cutover`: it stops every other
deploy while it lasts. What was announced is an event; shipping asks for it when berth.yaml wants
notice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.freeze import FREEZE_FILE, FreezeWindow
from berthmaster.domain.names import StackId
from berthmaster.domain.spec import RehearsalSpec
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import Event

ANNOUNCED: Final = "cutover_announced"
LOOKED_AT: Final = 500  # events of a stack among which the notice is looked for


@dataclass(frozen=True, slots=True)
class Notice:
    """A window that was told of."""

    stack: StackId
    since: datetime
    until: datetime
    why: str

    @property
    def text(self) -> str:
        """What to post where people look: a chat, a status page."""
        return (
            f"{self.stack} is moved on {self.since:%Y-%m-%d} between {self.since:%H:%M} and "
            f"{self.until:%H:%M} UTC: {self.why}. No other release goes out meanwhile."
        )


def announce(outside: Outside, stack: StackId, folder: Path) -> Notice:
    """Record the notice of the next window; raises `NotAllowed` when it comes too late."""
    spec = outside.specs.read(folder).rehearsal
    now = outside.clock.now()
    coming = [item for item in _windows(outside, stack, folder) if item.since > now]
    if not coming:
        raise NotFound(
            f"{FREEZE_FILE} has no cutover window of {stack.environment} that is to come",
            next_command=f"write `{stack.environment} 2026-12-01T19:30Z 2026-12-01T21:00Z cutover "
            f"WHY` into {FREEZE_FILE}",
        )
    notice = min(coming, key=lambda item: item.since)
    left = notice.since - now
    if left < timedelta(seconds=spec.notice_seconds):
        raise NotAllowed(
            f"the window begins in {_hours(left)}, and {_hours(_wanted(spec))} of notice are "
            "wanted",
            next_command=f"move the window in {FREEZE_FILE}",
        )
    detail = f"{notice.since.isoformat()} {notice.until.isoformat()} {notice.why}"
    outside.store.record(Event(now, outside.actor, str(stack), ANNOUNCED, detail))
    return notice


def refuse_unannounced(outside: Outside, stack: StackId, folder: Path, spec: RehearsalSpec) -> None:
    """Raise `NotAllowed` outside a window that was announced in time; nothing without `notice`."""
    if not spec.notice_seconds:
        return
    now = outside.clock.now()
    open_now = [item for item in _windows(outside, stack, folder) if item.since <= now < item.until]
    if not open_now:
        raise NotAllowed(
            f"{stack} ships only in a cutover window of {FREEZE_FILE}, and none is open",
            next_command=f"berth rehearse announce {stack}, and wait for it",
        )
    events = outside.store.events(stack, LOOKED_AT)
    for item in open_now:
        begin = f"{item.since.isoformat()} {item.until.isoformat()} "
        told = (one for one in events if one.what == ANNOUNCED and one.detail.startswith(begin))
        if any(item.since - one.at >= _wanted(spec) for one in told):
            return
    raise NotAllowed(
        f"this window was not announced {_hours(_wanted(spec))} before it began",
        next_command=f"move the window in {FREEZE_FILE}, then berth rehearse announce {stack}",
    )


def _windows(outside: Outside, stack: StackId, folder: Path) -> Iterator[Notice]:
    """The cutover windows of the environment that have a begin and an end."""
    for item in outside.specs.freezes(folder):
        if item.is_for_cutover and _is_about(item, stack):
            since, until = item.since, item.until
            if isinstance(since, datetime) and isinstance(until, datetime):
                yield Notice(stack, since, until, item.why)


def _is_about(window: FreezeWindow, stack: StackId) -> bool:
    return bool({stack.environment, "*"} & window.environments)


def _wanted(spec: RehearsalSpec) -> timedelta:
    return timedelta(seconds=spec.notice_seconds)


def _hours(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:.0f} h" if hours >= 2 else f"{hours * 60:.0f} min"
