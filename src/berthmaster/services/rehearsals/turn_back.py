"""`berth rollback ENV --rehearse`: the way back, done in the copy and timed.

The copy first gets production's old release beside what was rehearsed, without its migrations, as a
rollback would start it. Then it turns back from the new one to the old one, which is what is timed,
and in the end it runs what it ran before. Begun again after a kill, it goes on.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from berthmaster.domain.container import LABEL_STACK
from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import PlaceFiles, Plan, Switch
from berthmaster.domain.rehearsal import copy_of
from berthmaster.domain.release import Release
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.domain.spec import JobMoment
from berthmaster.engine.lease import hold
from berthmaster.planner.artifact import changes
from berthmaster.planner.rollback import plan_start_again
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import Outcome, refuse_unfinished
from berthmaster.services.deploy import bring_out, reserve_slots
from berthmaster.services.observe import adopted_containers, observe_stack
from berthmaster.services.prepare_release import Prepared
from berthmaster.services.render_model import ReleaseRequest
from berthmaster.services.roll_back import roll_back

SERVED = (ReleaseState.LIVE, ReleaseState.WARM, ReleaseState.RETIRED)


@dataclass(frozen=True, slots=True)
class TurnedBack:
    """How long the way back took in the copy."""

    stack: StackId  # of production
    to: int  # the release of production that a rollback brings back
    copy: StackId
    outcome: Outcome  # of the rollback that was timed
    switch_seconds: float  # until the old release answered
    untouched: int  # containers of production, the same before and after
    changed: tuple[str, ...]  # and those that are not
    notes: tuple[str, ...] = ()

    @property
    def is_warm(self) -> bool:
        """Whether the old release still ran, as it does for a while after a switch."""
        return not any(isinstance(step.action, PlaceFiles) for step in self.outcome.plan.steps)


async def rehearse_rollback(outside: Outside, stack: StackId, progress: Progress) -> TurnedBack:
    """Turn the copy back and forth; raises `NotFound` without one, `NotAllowed` where production
    could not turn back without its data.
    """
    copy = copy_of(stack)
    new = _rehearsed(outside, stack, copy)
    old = _old(outside, stack, new)
    _refuse_incompatible(stack, old, new)
    before = await _containers(outside, stack)
    notes = tuple(
        f"the files are not those of {old.label}: {text}"
        for text in changes(old.inputs, new.inputs)
        if old.inputs and not text.startswith(("map ", *new.overlay.files))
    )
    number = await _with_old(outside, copy, old, new, progress)
    await _run(outside, copy, new.number, progress)
    outcome = await roll_back(outside, copy, progress, to=number)
    switch = _seconds_to_switch(outside, outcome)
    await _run(outside, copy, new.number, progress)
    after = await _containers(outside, stack)
    changed = tuple(sorted(name for name in before if after.get(name) != before[name]))
    return TurnedBack(
        stack, old.number, copy, outcome, switch, len(before) - len(changed), changed, notes
    )


def _rehearsed(outside: Outside, stack: StackId, copy: StackId) -> Release:
    """The release of the copy that would ship, or has."""
    for item in outside.store.releases(copy):
        release = outside.store.release(copy, item.number) if item.state in SERVED else None
        if release is not None and release.rehearses is not None:
            return release
    raise NotFound(f"{stack} has no rehearsal", next_command=f"berth rehearse {stack}")


def _old(outside: Outside, stack: StackId, new: Release) -> Release:
    number = new.rehearses.release if new.rehearses else 0
    found = outside.store.release(stack, number)
    if found is None:
        raise NotFound(
            f"{stack} keeps no r{number} any more, which was rehearsed against",
            next_command=f"berth releases {stack}",
        )
    return found


def _refuse_incompatible(stack: StackId, old: Release, new: Release) -> None:
    jobs = (item for item in new.jobs if item.when is JobMoment.BEFORE_SWITCH)
    bad = [item.name for item in jobs if not item.is_compatible]
    if bad:
        raise NotAllowed(
            f"the migration {bad[0]} is declared incompatible: the code of {old.label} cannot work "
            "on its schema, so turning back needs the data of before",
            next_command=f"berth rollback {stack} --to {old.label} --restore-point NAME",
        )


async def _containers(outside: Outside, stack: StackId) -> dict[str, tuple[str, str]]:
    """Id and start of each container of production."""
    found = (
        *await outside.runtime.containers({LABEL_STACK: str(stack)}, detailed=True),
        *await adopted_containers(outside, stack, detailed=True),
    )
    return {item.name: (item.id, str(item.started_at)) for item in found if item.is_running}


async def _with_old(
    outside: Outside, copy: StackId, old: Release, new: Release, progress: Progress
) -> int:
    """The number of production's old release in the copy, which is made when it is not there."""
    for item in outside.store.releases(copy):
        if item.state in SERVED and item.number != new.number:
            return item.number
    request = ReleaseRequest(
        copy,
        Path(new.folder),
        old.tag or new.tag,
        command="berth rollback --rehearse",
        like=old,
        overlay=old.overlay,
    )
    made: list[int] = []

    async def make(prepared: Prepared) -> tuple[Release, Plan]:
        release = prepared.release
        observed = await observe_stack(outside, copy, release=release)
        slots = reserve_slots(outside, release)
        plan = plan_start_again(release, observed, slots=slots)
        made.append(release.number)
        return release, replace(plan, verb="rehearse")

    async with hold(outside.store, str(copy), what=request.command) as lease:
        refuse_unfinished(outside, copy)
        await bring_out(outside, lease, request, progress, make)
    return made[0]


async def _run(outside: Outside, copy: StackId, number: int, progress: Progress) -> None:
    record = outside.store.stack(copy)
    if record is None or record.live != number:
        await roll_back(outside, copy, progress, to=number)


def _seconds_to_switch(outside: Outside, outcome: Outcome) -> float:
    """From the first step of a rollback to the end of its switch."""
    number = int((outcome.deployment or "d0")[1:])
    switch = next(item.number for item in outcome.plan.steps if isinstance(item.action, Switch))
    rows = outside.store.journal(number)
    ends = [row.at for row in rows if row.step == switch]
    return (ends[-1] - rows[0].at).total_seconds() if ends and rows else outcome.seconds
