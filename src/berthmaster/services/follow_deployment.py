"""Watch a deployment that another process carries out: its journal, row by row, until it ends.

Changes nothing and holds no lease; what is told is what the one who deploys sees, too.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from berthmaster.domain.deployment import (
    TERMINAL,
    Deployment,
    DeploymentState,
    JournalRow,
    StepState,
)
from berthmaster.domain.errors import NotFound
from berthmaster.domain.plan import Step
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress

LOOK_SECONDS: Final = 0.2
_UNDOING: Final = frozenset({StepState.UNDO_STARTED, StepState.UNDONE, StepState.UNDO_FAILED})
_BEGUN: Final = frozenset({StepState.STARTED, StepState.UNDO_STARTED})
_DONE: Final = frozenset({StepState.SUCCEEDED, StepState.UNDONE})


async def follow_deployment(outside: Outside, number: int | None, progress: Progress) -> Deployment:
    """Tell what happens until it has ended, is stuck, or nobody works on it any more.

    Without a number: the unfinished one, else the newest. Raises `NotFound`, naming the choice.
    """
    found = await _wanted(outside, number)
    progress.plan_started(found.plan, found.label)
    teller = _Teller({step.number: step for step in found.plan.steps}, progress)
    looks_alone = 0
    while True:
        now = outside.store.deployment(found.id) or found
        teller.tell(outside.store.journal(found.id))
        if now.state in TERMINAL or now.state is DeploymentState.STUCK:
            teller.tell(outside.store.journal(found.id))  # what was written in between
            return now
        looks_alone = 0 if outside.store.lease(str(found.stack)) else looks_alone + 1
        if looks_alone > 2:  # between two states its owner holds it, too
            return now
        await outside.clock.sleep(LOOK_SECONDS)


async def _wanted(outside: Outside, number: int | None) -> Deployment:
    if number is not None:
        found = outside.store.deployment(number)
        if found is None:
            raise NotFound(f"there is no deployment d{number}", next_command="berth show")
        return found
    while not (unfinished := outside.store.unfinished()) and _is_preparing(outside):
        await outside.clock.sleep(LOOK_SECONDS)
    if len(unfinished) > 1:
        names = ", ".join(f"{item.label} ({item.stack})" for item in unfinished)
        raise NotFound(f"which deployment? unfinished are {names}")
    newest = unfinished or outside.store.deployments(None, limit=1)
    if not newest:
        raise NotFound("there is no deployment yet", next_command="berth deploy ENV")
    return newest[0]


def _is_preparing(outside: Outside) -> bool:
    """Whether somebody holds a stack and has not written down yet what will be done."""
    return any(outside.store.lease(str(item.id)) for item in outside.store.stacks())


class _Teller:
    """Turns new rows of a journal into the words of a progress."""

    def __init__(self, steps: Mapping[int, Step], progress: Progress) -> None:
        self._steps = steps
        self._progress = progress
        self._told = 0
        self._begun: dict[tuple[int, bool], datetime] = {}

    def tell(self, rows: tuple[JournalRow, ...]) -> None:
        """What came since the last time."""
        for row in rows[self._told :]:
            if (step := self._steps.get(row.step)) is not None:
                self._tell(row, step)
        self._told = len(rows)

    def _tell(self, row: JournalRow, step: Step) -> None:
        is_undo = row.state in _UNDOING
        if row.state in _BEGUN:
            self._begun[row.step, is_undo] = row.at
            self._progress.step_started(step, is_undo=is_undo)
            return
        begun = self._begun.get((row.step, is_undo), row.at)
        seconds = (row.at - begun).total_seconds()
        if row.state in _DONE:
            self._progress.step_ended(step, is_undo=is_undo, seconds=seconds, detail=row.detail)
        else:
            self._progress.step_failed(step, is_undo=is_undo, seconds=seconds, error=row.detail)
