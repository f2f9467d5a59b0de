"""Whether the server's own backups are sound, and part of `berth tick`: who is told when not.

Told once of each backup that failed, and once when the newest grows too old. Nothing is said where
nobody has begun to make any.
"""

from datetime import timedelta
from typing import Final

from berthmaster.ports.outside import Outside
from berthmaster.ports.store import Event
from berthmaster.services.tell import tell

BACKED_UP: Final = "server_backed_up"
BACKUP_FAILED: Final = "server_backup_failed"
BACKUP_EVENTS: Final = (BACKED_UP, BACKUP_FAILED, "server_restored")
BACKUP_AGE: Final = timedelta(days=2)  # of a daily one: one may be missed
BACKUP_COMMAND: Final = "berth server backup"
_ALERT: Final = "backup_alert"  # its detail: what was told of; empty when that is over


def backup_trouble(outside: Outside) -> str | None:
    """What is wrong with the newest backup; None when nothing is, or when there never was one."""
    last = outside.store.last_event(*BACKUP_EVENTS)
    if last is None:
        return None
    if last.what == BACKUP_FAILED:
        return f"the last backup failed: {last.detail[:200]}"
    age = outside.clock.now() - last.at
    return f"the newest backup is {age.days} days old" if age > BACKUP_AGE else None


async def watch_backups(outside: Outside) -> tuple[str, ...]:
    """Returns a line for an alert that is new or over."""
    trouble, before = backup_trouble(outside), outside.store.last_event(_ALERT)
    known = before.detail if before else ""
    if trouble is None:
        if known:
            _note(outside, "")
        return ("backup: its alert is over",) if known else ()
    last = outside.store.last_event(*BACKUP_EVENTS)
    about = f"{last.what} {last.at.isoformat()}" if last else ""
    if about == known:
        return ()
    line = f"backup: {trouble}; next: {BACKUP_COMMAND}"
    problem = await tell(outside, [line])
    if problem is not None:
        return (line, problem)
    _note(outside, about)
    return (line,)


def _note(outside: Outside, about: str) -> None:
    outside.store.record(Event(outside.clock.now(), outside.actor, None, _ALERT, about))
