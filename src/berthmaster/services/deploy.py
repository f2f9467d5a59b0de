"""`berth deploy` and `berth plan`: make a stack run what its files say."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from berthmaster.domain.errors import (
    BerthmasterError,
    LeaseLost,
    NotAllowed,
    OutsideError,
    StalePlan,
)
from berthmaster.domain.hosting import sharing
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan
from berthmaster.domain.rehearsal import production_of
from berthmaster.domain.release import Release
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.engine.lease import HeldLease, hold
from berthmaster.planner.deploy import plan_deploy
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import Outcome, carry_out, refuse_unfinished
from berthmaster.services.check_surroundings import refuse_bad_surroundings
from berthmaster.services.compare_state import state_notes
from berthmaster.services.observe import observe_stack
from berthmaster.services.permit import refuse_artifact, refuse_unmovable
from berthmaster.services.prepare_release import Prepared, fingerprint_of, prepare_release
from berthmaster.services.render_model import ReleaseRequest, environment_of
from berthmaster.services.tenant_spec import is_rehearsal, read_spec, refuse_suspended


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Why there is nothing to deploy."""

    release: int
    tag: str | None

    @property
    def message(self) -> str:
        """One line for a person."""
        tag = f" (tag {self.tag}, resolved then)" if self.tag else ""
        return f"nothing changed since r{self.release}{tag}; --force deploys all the same"


def find_unchanged(outside: Outside, request: ReleaseRequest) -> Unchanged | None:
    """Compare hashes of every input with the live release: no render, no registry, no engine."""
    record = outside.store.stack(request.stack)
    if record is None or record.live is None:
        return None
    live = next(
        item for item in outside.store.releases(request.stack) if item.number == record.live
    )
    if fingerprint_of(outside, request) != live.fingerprint:
        return None
    if request.verified is not None and request.verified.artifact != live.artifact:
        return None  # the same tag, and other contents: it was pushed again in between
    return Unchanged(live.number, live.tag)


async def plan_release(outside: Outside, request: ReleaseRequest) -> Plan:
    """The plan that a deploy would carry out now; changes nothing and keeps no reservation.

    It takes a number of its own while it looks: a deploy that prepares beside it reserves under
    another one, and keeps what it has.
    """
    number = outside.store.next_release_number(request.stack)
    unchanged = find_unchanged(outside, request)
    idle = (unchanged.message,) if unchanged else ()
    try:
        prepared = await prepare_release(outside, request, number=number)
        plan = await _plan(outside, request, prepared)
        refused = _obstacles(outside, request, prepared.release)
        return replace(plan, notes=(*plan.notes, *idle, *refused))
    finally:
        _forget_plan(outside, request.stack, number)


def _forget_plan(outside: Outside, stack: StackId, number: int) -> None:
    if outside.store.lease(str(stack)) is None:
        give_back(outside, stack, number)
    else:  # whoever holds it may be about to make the stack's first network
        _free_release(outside, stack, number)
    outside.store.give_number_back(stack, number)


async def deploy(
    outside: Outside,
    request: ReleaseRequest,
    progress: Progress,
    *,
    is_forced: bool = False,
    based_on: str | None = None,
) -> Outcome | Unchanged:
    """Deploy under the stack's lease; a refused release leaves the old one serving."""
    if not is_forced:
        unchanged = find_unchanged(outside, request)
        if unchanged:
            return unchanged
    async with hold(outside.store, str(request.stack), what=request.command) as lease:
        refuse_unfinished(outside, request.stack)
        refuse_unmovable(outside, request)
        refuse_suspended(outside, request.stack)
        refuse_copy(outside, request.stack)

        async def make(prepared: Prepared) -> tuple[Release, Plan]:
            plan = await _plan(outside, request, prepared)
            refuse_stale(plan, based_on)
            return prepared.release, plan

        return await bring_out(outside, lease, request, progress, make)


def refuse_copy(outside: Outside, stack: StackId) -> None:
    """Raise `NotAllowed` for the copy of an environment: it is made whole, never changed."""
    if is_rehearsal(outside, stack):
        environment = production_of(stack)
        raise NotAllowed(
            f"{stack} is the rehearsal of {environment}: it is never deployed to by itself",
            next_command=f"berth rehearse {environment}",
        )


async def bring_out(
    outside: Outside,
    lease: HeldLease,
    request: ReleaseRequest,
    progress: Progress,
    make: Callable[[Prepared], Awaitable[tuple[Release, Plan]]],
) -> Outcome:
    """Prepare a new release under the stack's lease, and carry out the plan that `make` makes.

    A refused release gives back what was reserved for it; a tenant that is not there gets no stack.
    """
    environment_of(
        read_spec(outside, request.folder, request.stack, request.overlay), request.stack
    )
    outside.store.add_stack(request.stack, str(request.folder))
    number = outside.store.next_release_number(request.stack)
    try:
        prepared = await prepare_release(outside, request, number=number)
        _refuse_artifact(outside, request, prepared.release)
        await refuse_bad_surroundings(outside, prepared.release, progress)
        release, plan = await make(prepared)
        outside.store.add_release(release)
        return await carry_out(outside, lease, plan, progress)
    except LeaseLost:
        raise  # the release is somebody else's by now: it may serve
    except (BerthmasterError, asyncio.CancelledError):
        with contextlib.suppress(OutsideError):  # a store that failed must not hide why
            _discard(outside, request.stack, number)
        raise


def refuse_stale(plan: Plan, based_on: str | None) -> None:
    """Raise `StalePlan` when the world is not what the plan that was looked at was based on."""
    if based_on is not None and based_on != plan.based_on:
        raise StalePlan(
            f"{plan.stack} has changed since that plan: it was based on {based_on}, "
            f"now it would be on {plan.based_on}",
            next_command=f"berth plan {plan.stack}",
        )


def _obstacles(outside: Outside, request: ReleaseRequest, release: Release) -> list[str]:
    """Why the deploy that a plan shows would be refused now."""
    found = []
    for ask in (_refuse_moving, _refuse_artifact):
        try:
            ask(outside, request, release)
        except NotAllowed as error:
            found.append(f"would be refused now: {error.message}")
    return found


def _refuse_moving(outside: Outside, request: ReleaseRequest, _: Release) -> None:
    refuse_unmovable(outside, request)


def _refuse_artifact(outside: Outside, request: ReleaseRequest, release: Release) -> None:
    there = environment_of(
        read_spec(outside, request.folder, request.stack, request.overlay), request.stack
    )
    refuse_artifact(outside, request, there, release.artifact)


async def _plan(outside: Outside, request: ReleaseRequest, prepared: Prepared) -> Plan:
    release, verified = prepared.release, request.verified
    observed = await observe_stack(outside, release.stack, release=release)
    slots = reserve_slots(outside, release)
    is_again = verified is not None and verified.stack == release.stack  # with a rotated secret
    verb = "deploy" if verified is None or is_again else "promote"
    if verified is not None and is_rehearsal(outside, verified.stack):
        verb = "ship"
    plan = plan_deploy(release, observed, slots=slots, verb=verb, is_closed=request.is_closed)
    details = {"tag": release.tag} if release.tag else {}
    if verified is not None and not is_again:
        details |= {"artifact": release.artifact[:12], "from": f"{verified.stack} {verified.label}"}
    return replace(
        plan,
        dropped=prepared.dropped,
        two_writers=prepared.two_writers if observed.live else (),
        notes=(
            *plan.notes,
            *state_notes(outside, release, observed),
            *prepared.notes,
            *request.told,
        ),
        overrides=prepared.overrides,
        details=details,
    )


def reserve_slots(outside: Outside, release: Release) -> tuple[int, ...]:
    """Places in the router's pool for a release's routes; the same again when it has them."""
    return outside.store.reserve_slots(release.key, len(sharing(release.routes)))


def _discard(outside: Outside, stack: StackId, number: int) -> None:
    """Mark a refused release and give back what it reserved, unless it is live or unfinished."""
    record = outside.store.stack(stack)
    if record and record.live == number:
        return
    if any(item.stack == stack for item in outside.store.unfinished()):
        return
    if outside.store.release(stack, number) is not None:
        outside.store.set_release_state(stack, number, ReleaseState.FAILED)
    else:  # refused before there was a release: nothing has its name
        outside.store.give_number_back(stack, number)
    give_back(outside, stack, number)


def give_back(outside: Outside, stack: StackId, number: int) -> None:
    """Free the slots and the subnet of a release that will not run; the stack's own subnet too
    while no release of it ever served.
    """
    _free_release(outside, stack, number)
    record = outside.store.stack(stack)
    if record is None or record.live is None:
        outside.store.free_subnet(f"{stack.project}-state")


def _free_release(outside: Outside, stack: StackId, number: int) -> None:
    outside.store.free_slots(stack.release_key(number))
    outside.store.free_subnet(f"{stack.release_project(number)}-net")


def give_slots_back(outside: Outside, stack: StackId, number: int) -> None:
    """Free the slots of a release that stays retired; not while a person is waited for."""
    release = outside.store.release(stack, number)
    is_retired = release is not None and release.state is ReleaseState.RETIRED
    if is_retired and all(item.stack != stack for item in outside.store.unfinished()):
        outside.store.free_slots(stack.release_key(number))
