"""`berth deploy` and `berth plan`: make a stack run what its files say."""

from dataclasses import dataclass, replace

from berthmaster.domain.errors import BerthmasterError, NotAllowed, OutsideError
from berthmaster.domain.plan import Plan
from berthmaster.domain.release import Release, ReleaseState
from berthmaster.engine.lease import hold
from berthmaster.planner.deploy import plan_deploy
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import Outcome, carry_out, refuse_unfinished
from berthmaster.services.observe import observe_stack
from berthmaster.services.prepare_release import (
    Prepared,
    ReleaseRequest,
    environment_of,
    prepare_release,
)


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
    spec = outside.specs.read(request.folder)
    environment = environment_of(spec, request.stack)
    if outside.specs.fingerprint(spec, environment.name, request.options()) != live.fingerprint:
        return None
    return Unchanged(live.number, live.tag)


async def plan_release(outside: Outside, request: ReleaseRequest) -> Plan:
    """The plan that a deploy would carry out now; changes nothing and keeps no reservation."""
    latest = outside.store.releases(request.stack)
    number = latest[0].number + 1 if latest else 1
    is_new = outside.store.stack(request.stack) is None
    prepared = await prepare_release(outside, request, number=number)
    try:
        return await _plan(outside, prepared)
    finally:
        _give_back(outside, prepared.release, with_stack_network=is_new)


async def deploy(
    outside: Outside, request: ReleaseRequest, progress: Progress, *, is_forced: bool = False
) -> Outcome | Unchanged:
    """Deploy under the stack's lease; a refused release leaves the old one serving."""
    if not is_forced:
        unchanged = find_unchanged(outside, request)
        if unchanged:
            return unchanged
    async with hold(outside.store, str(request.stack), what=request.command) as lease:
        refuse_unfinished(outside, request.stack)
        outside.store.add_stack(request.stack, str(request.folder))
        number = outside.store.next_release_number(request.stack)
        prepared = await prepare_release(outside, request, number=number)
        await refuse_without_gateway(outside, prepared.release)
        try:
            plan = await _plan(outside, prepared)
            outside.store.add_release(prepared.release)
            return await carry_out(outside, lease, plan, progress)
        except BerthmasterError:
            _discard(outside, prepared.release)
            raise


async def refuse_without_gateway(outside: Outside, release: Release) -> None:
    """Raise `OutsideError` when the release has routes and the gateway cannot take them."""
    if not release.routes or not release.hosts:
        return
    if release.entrypoint not in {item.name for item in outside.entrypoints}:
        known = ", ".join(item.name for item in outside.entrypoints)
        raise NotAllowed(
            f"{release.stack} wants the entrypoint {release.entrypoint!r}; this server has {known}",
            next_command="set `entrypoint` of the environment, or add it to the server's settings",
        )
    status = await outside.router.status()
    if not status.is_router_up:
        raise OutsideError(
            "the gateway does not run", subject="gateway", next_command="berth gateway up"
        )


async def _plan(outside: Outside, prepared: Prepared) -> Plan:
    release = prepared.release
    observed = await observe_stack(outside, release.stack, release=release)
    slots = reserve_slots(outside, release)
    plan = plan_deploy(release, observed, slots=slots)
    details = {"tag": release.tag} if release.tag else {}
    return replace(
        plan,
        dropped=prepared.dropped,
        two_writers=prepared.two_writers if observed.live else (),
        notes=(*plan.notes, *prepared.notes),
        details=details,
    )


def reserve_slots(outside: Outside, release: Release) -> tuple[int, ...]:
    """Places in the router's pool for a release's routes; the same again when it has them."""
    count = sum(1 for route in release.routes if route.upstreams)
    return outside.store.reserve_slots(release.key, count)


def _discard(outside: Outside, release: Release) -> None:
    """Mark a refused release and give back what it reserved, unless it is live or unfinished."""
    record = outside.store.stack(release.stack)
    if record and record.live == release.number:
        return
    if any(item.stack == release.stack for item in outside.store.unfinished()):
        return
    if outside.store.release(release.stack, release.number) is not None:
        outside.store.set_release_state(release.stack, release.number, ReleaseState.FAILED)
    _give_back(outside, release, with_stack_network=False)


def _give_back(outside: Outside, release: Release, *, with_stack_network: bool) -> None:
    outside.store.free_slots(release.key)
    outside.store.free_subnet(release.network.name)
    if with_stack_network:
        outside.store.free_subnet(release.stack_network.name)
