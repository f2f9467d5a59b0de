"""`berth adopt PROJECT --let-go`: nobody comes past the gateway any more, so release 0 may stop.

Its containers are stopped and kept, as after any warm time. Refused while somebody is seen to come
that way; what cannot be seen from here, the person who types it knows.
"""

from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan
from berthmaster.domain.release import ADOPTED, Release
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.engine.lease import hold
from berthmaster.planner.retiring import let_go_command, plan_retire
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.ports.store import Event
from berthmaster.services.carry_out import Outcome, carry_out, refuse_unfinished
from berthmaster.services.find_bypass import find_bypass
from berthmaster.services.observe import observe_stack


async def plan_let_go(
    outside: Outside, stack: StackId, project: str, *, despite: str | None
) -> Plan:
    """The plan that stops it; raises `NotAllowed` while it serves or somebody asks it."""
    release = _kept(outside, stack, project)
    seen = (await find_bypass(outside, release)).seen
    if seen and despite is None:
        lines = "\n".join(f"  {line}" for line in seen)
        raise NotAllowed(
            f"{stack}: visitors still reach r0 past the gateway:\n{lines}\n"
            "Let your proxy pass requests to the gateway first.",
            next_command=f'{let_go_command(release)}, later, or now with --despite "WHY"',
        )
    observed = await observe_stack(outside, stack)
    return plan_retire(release, observed, "nobody comes past the gateway")


async def let_go(
    outside: Outside, stack: StackId, project: str, progress: Progress, *, despite: str | None
) -> Outcome:
    """Stop it, under the stack's lease; a reason to do so all the same is recorded."""
    async with hold(outside.store, str(stack), what="berth adopt --let-go") as lease:
        refuse_unfinished(outside, stack)
        plan = await plan_let_go(outside, stack, project, despite=despite)
        if despite is not None:
            now = outside.clock.now()
            outside.store.record(Event(now, outside.actor, str(stack), "let_go_despite", despite))
        return await carry_out(outside, lease, plan, progress)


def _kept(outside: Outside, stack: StackId, project: str) -> Release:
    release = outside.store.release(stack, ADOPTED)
    if release is None or not release.adopted:
        raise NotFound(f"{stack} was not adopted", next_command="berth status")
    if release.adopted_from != project:
        raise NotAllowed(f"{stack} was adopted from the project {release.adopted_from}")
    if release.state is ReleaseState.LIVE:
        raise NotAllowed(f"{stack}: r0 serves", next_command=f"berth deploy {stack}")
    if release.state is not ReleaseState.WARM:
        raise NotAllowed(f"{stack}: r0 is stopped already", next_command=f"berth releases {stack}")
    return release
