"""`berth tick`: housekeeping that may run at any time and twice; also the start of every change.

Mends the gateway, recovers what was killed, starts what Docker left behind, retires warm releases
whose time is over, closes tenants whose time is over, forgets releases beyond retention, gives back
what killed commands had reserved.
"""

import contextlib

from berthmaster.domain.errors import OutsideError
from berthmaster.domain.names import StackId
from berthmaster.domain.release import ADOPTED
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.engine.lease import hold
from berthmaster.planner.retiring import plan_retire
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.ports.store import ReleaseSummary
from berthmaster.services.carry_out import carry_out
from berthmaster.services.domains.watch import watch_certificates
from berthmaster.services.find_bypass import find_bypass
from berthmaster.services.forget import forget_old
from berthmaster.services.let_unused_go import let_unused_go
from berthmaster.services.mend_gateway import mend_gateway
from berthmaster.services.observe import observe_stack
from berthmaster.services.recover import recover_abandoned
from berthmaster.services.start_stopped import start_stopped
from berthmaster.services.tenants.close import suspend_expired
from berthmaster.services.tenants.watch import watch_tenants
from berthmaster.services.trouble import Troubles
from berthmaster.services.watch_backups import watch_backups
from berthmaster.services.watch_stacks import watch_stacks


async def tick(outside: Outside, progress: Progress, *, starts: bool = False) -> tuple[str, ...]:
    """Do what is due; returns a line for each thing done.

    The gateway comes first: what was killed is reversed through it. With `starts`, a gateway and
    containers of live releases that ended are started again. What cannot be done for one stack
    keeps nothing from the others, and is raised at the end.
    """
    troubles = Troubles()
    told = list(await mend_gateway(outside, starts=starts))
    told += await recover_abandoned(outside, progress, troubles)
    if starts:
        told += await start_stopped(outside, troubles)
        for look in (watch_stacks, watch_certificates, watch_backups):
            with contextlib.suppress(OutsideError):  # housekeeping goes on; it looks again soon
                told += await look(outside)
    for item in _due(outside):
        with troubles.noted():
            if not await _is_kept(outside, item):
                told += await _retire(outside, item.stack, item.number, progress)
    told += await suspend_expired(outside, progress, troubles)
    with troubles.noted():
        told += await watch_tenants(outside, progress, measures=starts)
    told += await forget_old(outside, [record.id for record in outside.store.stacks()], troubles)
    told += await let_unused_go(outside, troubles)
    troubles.raise_first(told, progress)
    return tuple(told)


def _due(outside: Outside) -> list[ReleaseSummary]:
    """Warm releases of every stack whose time is over; one query, because each command asks."""
    now = outside.clock.now()
    warm = outside.store.releases_in(ReleaseState.WARM)
    return [item for item in warm if item.warm_until is not None and item.warm_until <= now]


async def _is_kept(outside: Outside, item: ReleaseSummary) -> bool:
    """What was adopted runs on as long as visitors may reach it past the gateway."""
    release = outside.store.release(item.stack, ADOPTED) if item.number == ADOPTED else None
    if release is None or not release.adopted:
        return False
    try:
        return bool((await find_bypass(outside, release)).reasons)
    except OutsideError:  # nobody knows now
        return True


async def _retire(
    outside: Outside, stack: StackId, number: int, progress: Progress
) -> tuple[str, ...]:
    async with hold(outside.store, str(stack), what="berth tick") as lease:
        release = outside.store.release(stack, number)
        if release is None or release.state is not ReleaseState.WARM:
            return ()
        observed = await observe_stack(outside, stack)
        plan = plan_retire(release, observed, "its warm time is over")
        await carry_out(outside, lease, plan, progress)
        return (f"{stack}: {release.label} was kept warm long enough; it is retired",)
