"""`berth rollback`: the same engine, an older record."""

from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan
from berthmaster.domain.release import Release, ReleaseState
from berthmaster.engine.lease import hold
from berthmaster.planner.deploy import plan_deploy
from berthmaster.planner.rollback import can_switch_back, plan_switch_back
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.ports.store import ReleaseSummary
from berthmaster.services.carry_out import Outcome, carry_out, refuse_unfinished
from berthmaster.services.check_surroundings import refuse_without_gateway
from berthmaster.services.deploy import reserve_slots
from berthmaster.services.observe import observe_stack


async def roll_back(
    outside: Outside, stack: StackId, progress: Progress, *, to: int | None = None
) -> Outcome:
    """Make the stack run an older release, by a switch when it is warm, else from its record."""
    async with hold(outside.store, str(stack), what="berth rollback") as lease:
        refuse_unfinished(outside, stack)
        plan = await plan_rollback(outside, stack, to=to)
        return await carry_out(outside, lease, plan, progress)


async def plan_rollback(outside: Outside, stack: StackId, *, to: int | None = None) -> Plan:
    """The plan for it; raises `NotFound` without a target, `NotAllowed` past an incompatible
    migration.
    """
    release = _target(outside, stack, to)
    _refuse_incompatible(outside, stack, release)
    observed = await observe_stack(outside, stack, release=release)
    await refuse_without_gateway(outside, release)
    slots = reserve_slots(outside, release)
    if can_switch_back(release, observed):
        return plan_switch_back(release, observed, slots=slots)
    return plan_deploy(release, observed, slots=slots, verb="rollback")


def _target(outside: Outside, stack: StackId, to: int | None) -> Release:
    record = outside.store.stack(stack)
    if record is None or record.live is None:
        raise NotFound(f"{stack} runs no release", next_command="berth status")
    if to == record.live:
        raise NotAllowed(f"r{to} is live already", next_command=f"berth releases {stack}")
    for summary in _candidates(outside, stack):
        if to is None or summary.number == to:
            release = outside.store.release(stack, summary.number)
            if release:
                return release
    wanted = f"r{to}, or it never served" if to else "older release that served"
    raise NotFound(f"{stack} has no {wanted}", next_command=f"berth releases {stack}")


def _candidates(outside: Outside, stack: StackId) -> list[ReleaseSummary]:
    """Warm releases first, then retired ones, newest first: what served last is wanted first."""
    served = [
        item
        for item in outside.store.releases(stack)
        if item.state in (ReleaseState.WARM, ReleaseState.RETIRED)
    ]
    return sorted(served, key=lambda item: (item.state is not ReleaseState.WARM, -item.number))


def _refuse_incompatible(outside: Outside, stack: StackId, target: Release) -> None:
    record = outside.store.stack(stack)
    live = record.live if record and record.live else target.number
    for number in range(target.number + 1, live + 1):
        between = outside.store.release(stack, number)
        if between is None or between.state is ReleaseState.FAILED:
            continue
        for job in between.jobs:
            if not job.is_compatible:
                raise NotAllowed(
                    f"r{number} ran the incompatible migration {job.name}: the code of "
                    f"{target.label} cannot work on its schema",
                    next_command="restore the restore point before it, or deploy a mended release",
                )
