"""Part of `berth tick`: a stack that does not do all that it is for is told of.

Told once, at the second look at which it is unwell: what a restart mends in between is no news.
One that comes and goes stays the same alert until it has been well for a while. What is open is
one row of the audit trail, written whenever it changes: the newest row holds.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from berthmaster.domain.deployment import Deployment, DeploymentState
from berthmaster.domain.names import StackId
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import Event
from berthmaster.services.read_status import StackLine, read_status, unwell
from berthmaster.services.tell import tell
from berthmaster.services.tenant_spec import is_suspended

ALERTS: Final = "stack_alerts"  # its detail: JSON, by stack
BETWEEN: Final = timedelta(seconds=30)  # two looks that are nearer count as one
QUIET: Final = timedelta(minutes=10)  # well for so long, it is over


class Stage(StrEnum):
    """How far an alert is."""

    SEEN = "seen"  # once, and nobody was told
    TOLD = "told"
    WELL = "well"  # told, and well since


@dataclass(frozen=True, slots=True)
class Open:
    """One stack that was seen to be unwell; `at` is when it came to its stage."""

    stage: Stage
    at: datetime
    text: str


async def watch_stacks(outside: Outside) -> tuple[str, ...]:
    """Find who is unwell now; returns a line for each alert that is new or over."""
    status = await read_status(outside)
    if status.engine_error is not None:  # nobody knows: what was known stays
        return ()
    before = _open(outside)
    after = _looked(outside, status.lines, before)
    due = {
        stack: f"{stack}: {item.text}" for stack, item in after.items() if _is_due(outside, item)
    }
    problem = await tell(outside, list(due.values()))
    if problem is None:
        now = outside.clock.now()
        after |= {stack: replace(after[stack], stage=Stage.TOLD, at=now) for stack in due}
    gone = [key for key, item in before.items() if key not in after and item.stage != Stage.SEEN]
    _record(outside, before, after, gone)
    over = [f"{stack}: its alert is over" for stack in gone]
    return (*due.values(), *over, *([problem] if problem else ()))


def _looked(
    outside: Outside, lines: tuple[StackLine, ...], before: Mapping[str, Open]
) -> dict[str, Open]:
    """What is open after a look; stacks that are gone are forgotten."""
    found: dict[str, Open] = {}
    unfinished = {item.stack: item for item in outside.store.unfinished()}
    for line in lines:
        key, text = str(line.stack), unwell(line)
        old, deployment = before.get(key), unfinished.get(line.stack)
        now: Open | None
        if deployment is not None and deployment.state is DeploymentState.STUCK:
            now = _when_unwell(outside, old, _stuck(deployment))
        elif deployment is not None or _is_changed(outside, line.stack):
            now = old
        elif not _is_to_serve(outside, line.stack):
            now = None
        elif text is None:
            now = _when_well(outside, old)
        else:
            now = _when_unwell(outside, old, text)
        if now is not None:
            found[key] = now
    return found


def _stuck(deployment: Deployment) -> str:
    return f"{deployment.label} ({deployment.verb}) is stuck and waits for a person"


def _when_unwell(outside: Outside, old: Open | None, text: str) -> Open:
    if old is None:
        return Open(Stage.SEEN, outside.clock.now(), text)
    return replace(old, stage=Stage.TOLD) if old.stage is Stage.WELL else old


def _when_well(outside: Outside, old: Open | None) -> Open | None:
    now = outside.clock.now()
    if old is None or old.stage is Stage.SEEN:
        return None
    if old.stage is Stage.TOLD:
        return replace(old, stage=Stage.WELL, at=now)
    return None if now - old.at >= QUIET else old


def _is_due(outside: Outside, item: Open) -> bool:
    return item.stage is Stage.SEEN and outside.clock.now() - item.at >= BETWEEN


def _is_changed(outside: Outside, stack: StackId) -> bool:
    """Whether somebody works on it at this moment."""
    lease = outside.store.lease(str(stack))
    return lease is not None and lease.expires_at > outside.clock.now()


def _is_to_serve(outside: Outside, stack: StackId) -> bool:
    record = outside.store.stack(stack)
    is_closed = record is None or record.is_in_maintenance
    return not is_closed and not is_suspended(outside, stack)


def _open(outside: Outside) -> dict[str, Open]:
    last = outside.store.last_event(ALERTS)
    rows = json.loads(last.detail) if last else {}
    return {
        key: Open(Stage(row["stage"]), datetime.fromisoformat(row["at"]), row["text"])
        for key, row in rows.items()
    }


def _record(
    outside: Outside, before: Mapping[str, Open], after: Mapping[str, Open], gone: list[str]
) -> None:
    if after == before:
        return
    rows = {
        key: {"stage": item.stage, "at": item.at.isoformat(), "text": item.text}
        for key, item in after.items()
    }
    told = [
        key
        for key, item in after.items()
        if item.stage is Stage.TOLD and (key not in before or before[key].stage is Stage.SEEN)
    ]
    now, actor = outside.clock.now(), outside.actor
    with outside.store.transaction():
        outside.store.record(Event(now, actor, None, ALERTS, json.dumps(rows)))
        for key in told:
            outside.store.record(Event(now, actor, key, "stack_alert_opened", after[key].text))
        for key in gone:
            outside.store.record(Event(now, actor, key, "stack_alert_closed"))
