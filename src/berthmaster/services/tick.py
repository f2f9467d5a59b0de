"""`berth tick`: housekeeping that may be run at any time and twice; also the start of every change.

Recovers what was killed, retires warm releases whose time is over, forgets releases beyond
retention.
"""

import contextlib

from berthmaster.domain.errors import LeaseHeld
from berthmaster.domain.names import StackId
from berthmaster.domain.release import ReleaseState
from berthmaster.engine.lease import hold
from berthmaster.planner.retiring import plan_retire
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import carry_out
from berthmaster.services.forget import forget_old
from berthmaster.services.observe import observe_stack
from berthmaster.services.recover import recover_abandoned


async def tick(outside: Outside, progress: Progress) -> tuple[str, ...]:
    """Do what is due; returns a line for each thing done."""
    told = list(await recover_abandoned(outside, progress))
    for record in outside.store.stacks():
        with contextlib.suppress(LeaseHeld):
            told += await _retire_due(outside, record.id, progress)
            told += await forget_old(outside, record.id)
    return tuple(told)


async def _retire_due(outside: Outside, stack: StackId, progress: Progress) -> list[str]:
    now = outside.clock.now()
    due = [
        item.number
        for item in outside.store.releases(stack)
        if item.state is ReleaseState.WARM
        and item.warm_until is not None
        and item.warm_until <= now
    ]
    told = []
    for number in due:
        async with hold(outside.store, str(stack), what="berth tick") as lease:
            release = outside.store.release(stack, number)
            if release is None or release.state is not ReleaseState.WARM:
                continue
            observed = await observe_stack(outside, stack)
            plan = plan_retire(release, observed, "its warm time is over")
            await carry_out(outside, lease, plan, progress)
            told.append(f"{stack}: {release.label} was kept warm long enough; it is retired")
    return told
