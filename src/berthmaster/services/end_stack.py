"""`berth destroy` and `berth maintenance`: small plans through the same engine."""

from dataclasses import replace

from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan
from berthmaster.domain.release import ADOPTED
from berthmaster.domain.tenancy import TenantState
from berthmaster.engine.lease import hold
from berthmaster.planner.destroy import plan_destroy
from berthmaster.planner.maintenance import plan_maintenance
from berthmaster.planner.observed import Observed
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import Outcome, carry_out, refuse_unfinished
from berthmaster.services.observe import observe_stack
from berthmaster.services.tenant_spec import refuse_suspended


async def plan_end(outside: Outside, stack: StackId, *, removes_volumes: bool) -> Plan:
    """What destroying the stack would remove; raises `NotFound` for an unknown stack."""
    _known(outside, stack)
    observed = _without_adopted(outside, await observe_stack(outside, stack))
    numbers = tuple(item.number for item in outside.store.releases(stack))
    return plan_destroy(observed, numbers=numbers, removes_volumes=removes_volumes)


def _without_adopted(outside: Outside, observed: Observed) -> Observed:
    """What was adopted is never removed; while it serves or keeps data it is given back first."""
    release = outside.store.release(observed.stack, ADOPTED)
    if release is None or not release.adopted:
        return observed
    in_use = ADOPTED in outside.store.applied_states(observed.stack).values()
    serving = {item.number for item in (observed.live, *observed.warm) if item}
    if in_use or ADOPTED in serving:
        raise NotAllowed(
            f"{observed.stack} was adopted from {release.adopted_from}: give that back instead",
            next_command=f"berth adopt {release.adopted_from} {observed.stack} --undo",
        )
    return replace(observed, containers=observed.containers - release.adopted.keys())


async def destroy(
    outside: Outside, stack: StackId, progress: Progress, *, removes_volumes: bool
) -> Outcome:
    """Remove the stack; the caller has asked for its name."""
    async with hold(outside.store, str(stack), what="berth destroy") as lease:
        refuse_unfinished(outside, stack)
        plan = await plan_end(outside, stack, removes_volumes=removes_volumes)
        tenant = outside.store.tenant(stack) if stack.tenant else None
        is_restoring = tenant is not None and tenant.state is TenantState.RESTORING
        # The tombstone must not name the backup of an earlier try; one that is not back yet stays.
        if tenant is not None and not is_restoring:
            outside.store.save_tenant(replace(tenant, backup=None))
        return await carry_out(outside, lease, plan, progress)


async def set_maintenance(
    outside: Outside, stack: StackId, progress: Progress, *, is_on: bool
) -> Outcome:
    """Answer the stack's 503 page, or its release again."""
    _known(outside, stack)
    async with hold(outside.store, str(stack), what="berth maintenance") as lease:
        refuse_suspended(outside, stack)
        plan = plan_maintenance(await observe_stack(outside, stack), is_on=is_on)
        return await carry_out(outside, lease, plan, progress)


def _known(outside: Outside, stack: StackId) -> None:
    if outside.store.stack(stack) is None:
        raise NotFound(f"there is no stack {stack}", next_command="berth status")
