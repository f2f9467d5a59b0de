"""`berth rollback`: the same engine, an older record."""

import asyncio
import re
from dataclasses import replace
from typing import Final

from berthmaster.domain.backup import POINT_PREFIX
from berthmaster.domain.errors import BerthmasterError, NotAllowed, NotFound
from berthmaster.domain.judgement import rejection
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan
from berthmaster.domain.release import Release
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.domain.spec import Role
from berthmaster.engine.lease import hold
from berthmaster.planner.putback import Restore, is_kept
from berthmaster.planner.restoring import plan_restore
from berthmaster.planner.rollback import can_switch_back, plan_start_again, plan_switch_back
from berthmaster.ports.databases import RestorePoint
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.ports.store import ReleaseSummary
from berthmaster.services.carry_out import Outcome, carry_out, refuse_unfinished
from berthmaster.services.check_surroundings import refuse_without_gateway
from berthmaster.services.deploy import give_slots_back, reserve_slots
from berthmaster.services.observe import observe_stack
from berthmaster.services.permit import hold_note, refuse_rejected_release
from berthmaster.services.tenant_spec import refuse_suspended

# How a deploy names the points it takes: before the migrations of a release, or before a change
# of a state service, whose record counts up with the releases.
_TAKEN_BEFORE: Final = re.compile(r"before-(?:r|[\w.-]*-)(\d+)(?:-|\Z)")


async def roll_back(
    outside: Outside,
    stack: StackId,
    progress: Progress,
    *,
    to: int | None = None,
    restore_point: str | None = None,
) -> Outcome:
    """Make the stack run an older release, by a switch when it is warm, else from its record.

    With a restore point its data comes back too.
    """
    async with hold(outside.store, str(stack), what="berth rollback") as lease:
        refuse_unfinished(outside, stack)
        refuse_suspended(outside, stack)
        release = _target(outside, stack, to, is_restored=restore_point is not None)
        try:
            plan = await _plan(outside, release, restore_point)
            return await carry_out(outside, lease, plan, progress)
        except (BerthmasterError, asyncio.CancelledError):
            give_slots_back(outside, stack, release.number)
            raise


async def plan_rollback(
    outside: Outside, stack: StackId, *, to: int | None = None, restore_point: str | None = None
) -> Plan:
    """The plan for it, which keeps no slot; raises `NotFound` without a target, `NotAllowed` past
    an incompatible migration unless a restore point is named.
    """
    release = _target(outside, stack, to, is_restored=restore_point is not None)
    try:
        return await _plan(outside, release, restore_point)
    finally:
        if outside.store.lease(str(stack)) is None:  # whoever holds it may have reserved the same
            give_slots_back(outside, stack, release.number)


async def _plan(outside: Outside, release: Release, restore_point: str | None) -> Plan:
    stack = release.stack
    refuse_rejected_release(outside, release)
    passed = _incompatible(outside, stack, release)
    if restore_point is None:
        _refuse_incompatible(outside, release, passed)
    observed = await observe_stack(outside, stack, release=release)
    await refuse_without_gateway(outside, release)
    slots = reserve_slots(outside, release)
    if restore_point is not None:
        restore = _restore(outside, release, restore_point, passed)
        return plan_restore(release, observed, restore, slots=slots)
    way = plan_switch_back if can_switch_back(release, observed) else plan_start_again
    plan = way(release, observed, slots=slots)
    held = hold_note(outside, stack)
    return replace(plan, notes=(*plan.notes, held)) if held else plan


def _target(outside: Outside, stack: StackId, to: int | None, *, is_restored: bool) -> Release:
    """The release asked for, else the one that served last; the live one when data is put back
    under it.
    """
    record = outside.store.stack(stack)
    if record is None or record.live is None:
        raise NotFound(f"{stack} runs no release", next_command="berth status")
    if to == record.live and is_restored and (live := outside.store.release(stack, to)):
        return live
    if to == record.live:
        raise NotAllowed(f"r{to} is live already", next_command=f"berth releases {stack}")
    judged = outside.store.judgements(stack.app)
    for summary in _candidates(outside, stack):
        is_good = to is None and rejection(judged, summary.artifact) is None
        if is_good or summary.number == to:
            release = outside.store.release(stack, summary.number)
            if release:
                return release
    wanted = (
        f"r{to}, or it never served"
        if to is not None
        else "older release that served and is not rejected"
    )
    raise NotFound(f"{stack} has no {wanted}", next_command=f"berth releases {stack}")


def _candidates(outside: Outside, stack: StackId) -> list[ReleaseSummary]:
    """Warm releases first, then retired ones, newest first: what served last is wanted first."""
    served = [
        item
        for item in outside.store.releases(stack)
        if item.state in (ReleaseState.WARM, ReleaseState.RETIRED)
    ]
    return sorted(served, key=lambda item: (item.state is not ReleaseState.WARM, -item.number))


def _incompatible(outside: Outside, stack: StackId, target: Release) -> tuple[tuple[int, str], ...]:
    """Releases after the target whose schema its code cannot work on, and the migrations' names."""
    record = outside.store.stack(stack)
    live = record.live if record and record.live is not None else target.number
    found = []
    for number in range(target.number + 1, live + 1):
        between = outside.store.release(stack, number)
        if between is None or between.state is ReleaseState.FAILED:
            continue
        found += [(number, job.name) for job in between.jobs if not job.is_compatible]
    return tuple(found)


def _refuse_incompatible(
    outside: Outside, target: Release, passed: tuple[tuple[int, str], ...]
) -> None:
    if not passed:
        return
    number, job = passed[0]
    points = _fitting(outside, target, passed)
    raise NotAllowed(
        f"r{number} ran the incompatible migration {job}: the code of {target.label} cannot work "
        "on its schema",
        next_command=(
            f"berth rollback {target.stack} --to {target.label} --restore-point {points[0].name}"
            if points
            else "deploy a mended release"
        ),
    )


def _restore(
    outside: Outside, target: Release, name: str, passed: tuple[tuple[int, str], ...]
) -> Restore:
    """What to put back; raises `NotFound` for a point that is not there, or came too late."""
    points = outside.databases.points(outside.files.dump_folder(target.stack.project))
    point = next((item for item in points if item.name == name), None)
    if point is None:
        known = ", ".join(item.name for item in points) or "none"
        raise NotFound(f"{target.stack} has no restore point {name!r}; it has {known}")
    if point not in _fitting(outside, target, passed):
        raise NotAllowed(
            f"{name} does not hold the data that {target.label} worked on: it was taken before "
            f"{target.label}, or after the incompatible migration of r{passed[0][0]}"
            if passed
            else f"{name} was taken before {target.label}",
            next_command=f"berth releases {target.stack}",
        )
    containers = {
        container for item in target.with_role(Role.STATE) for container in item.containers
    }
    if point.container not in containers:
        raise NotAllowed(f"{name} is of {point.container}, which {target.label} does not have")
    stamp = outside.clock.now().strftime("%Y%m%d_%H%M%S")
    databases = tuple(item for item in point.databases if not is_kept(item))
    return Restore(name, point.container, databases, stamp)


def _fitting(
    outside: Outside, target: Release, passed: tuple[tuple[int, str], ...]
) -> tuple[RestorePoint, ...]:
    """Restore points taken while the target's schema was in use, newest first."""
    points = outside.databases.points(outside.files.dump_folder(target.stack.project))
    first = passed[0][0] if passed else None
    fitting = []
    for point in points:
        if first is not None and point.name.startswith(POINT_PREFIX):
            continue  # taken by the clock: nobody knows on which side of the migration
        match = _TAKEN_BEFORE.match(point.name)
        number = int(match.group(1)) if match else None
        if number is None or (target.number < number and (first is None or number <= first)):
            fitting.append(point)
    return tuple(fitting)
