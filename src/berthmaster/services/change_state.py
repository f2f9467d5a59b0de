"""`berth deploy ENV --state SERVICE`: change a state service on purpose (D9).

The files say how it shall be; what runs is compared with the record that was applied last. Refused
when the data would not come along: another major version, or a volume that is no longer mounted.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from berthmaster.domain.errors import BerthmasterError, NotAllowed, NotFound, OutsideError
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan
from berthmaster.domain.release import Release, ReleaseService
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.domain.spec import Role
from berthmaster.engine.lease import hold
from berthmaster.planner.majors import DatabaseVersion, database_version, major_of, refusal
from berthmaster.planner.observed import Observed
from berthmaster.planner.state import plan_state_change, state_record
from berthmaster.planner.statediff import lost_data
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import Outcome, carry_out, refuse_unfinished
from berthmaster.services.check_surroundings import refuse_short_disk
from berthmaster.services.compare_state import state_definition, state_differences
from berthmaster.services.deploy import refuse_stale
from berthmaster.services.observe import observe_stack
from berthmaster.services.permit import refuse_unmovable
from berthmaster.services.prepare_release import prepare_release
from berthmaster.services.render_model import ReleaseRequest
from berthmaster.services.tenant_spec import refuse_suspended

GUIDE: Final = "docs/how-to/change-a-database.md: dump, new volume, restore"


@dataclass(frozen=True, slots=True)
class StateUnchanged:
    """Every named service runs as the files say."""

    services: tuple[str, ...]

    @property
    def message(self) -> str:
        """One line for a person."""
        verb = "runs" if len(self.services) == 1 else "run"
        return f"{', '.join(self.services)} {verb} as the files say; nothing to change"


async def plan_state(
    outside: Outside, request: ReleaseRequest, *, confirm: str | None = None
) -> Plan | StateUnchanged:
    """The plan that a change would carry out now; starts nothing and keeps no reservation.

    Its number is its own while it looks, as that of the plan of a deploy.
    """
    number = outside.store.next_release_number(request.stack)
    try:
        plan, _ = await _prepare(outside, request, number, confirm)
    finally:
        give_reservations_back(outside, request.stack, number)
    return plan


async def change_state(
    outside: Outside,
    request: ReleaseRequest,
    progress: Progress,
    *,
    confirm: str | None = None,
    based_on: str | None = None,
) -> Outcome | StateUnchanged:
    """Change the named services under the stack's lease; a refused change brings the old back."""
    async with hold(outside.store, str(request.stack), what=request.command) as lease:
        refuse_unfinished(outside, request.stack)
        refuse_suspended(outside, request.stack)
        refuse_unmovable(outside, request)
        number = outside.store.next_release_number(request.stack)
        try:
            plan, record = await _prepare(outside, request, number, confirm)
            if isinstance(plan, StateUnchanged):
                return plan
            refuse_short_disk(outside)
            refuse_stale(plan, based_on)
            outside.store.add_release(record)
            return await carry_out(outside, lease, plan, progress)
        except (BerthmasterError, asyncio.CancelledError):
            discard_record(outside, request.stack, number)
            raise
        finally:
            give_reservations_back(outside, request.stack, number)


def discard_record(outside: Outside, stack: StackId, number: int) -> None:
    """Mark the record of a refused change, unless its deployment still waits for somebody."""
    if any(item.stack == stack for item in outside.store.unfinished()):
        return
    found = outside.store.release(stack, number)
    if found is not None and found.state is ReleaseState.PREPARED:
        outside.store.set_release_state(stack, number, ReleaseState.FAILED)


async def _prepare(
    outside: Outside, request: ReleaseRequest, number: int, confirm: str | None
) -> tuple[Plan | StateUnchanged, Release]:
    record = outside.store.stack(request.stack)
    if record is None or record.live is None:
        raise NotFound(
            f"{request.stack} runs no release: its first deploy starts its state services",
            next_command=f"berth deploy {request.stack}",
        )
    if request.tag is None:
        live = outside.store.release(request.stack, record.live)
        request = replace(request, tag=live.tag if live else None)
    prepared = await prepare_release(outside, request, number=number)
    _refuse_others(prepared.release, request.state_services)
    observed = await observe_stack(outside, request.stack, release=prepared.release)
    changed = _changed(outside, prepared.release, request.state_services, observed)
    release = state_record(prepared.release, frozenset(changed))
    if not changed:
        return StateUnchanged(tuple(sorted(request.state_services))), release
    for service in release.services:
        await _refuse_foreign_data(outside, release, service, observed)
        await _refuse_lost_data(outside, release, service, observed, confirm)
    told = tuple(f"{name}: {what}" for name, what in changed.items())
    plan = plan_state_change(release, observed, notes=told)
    return replace(plan, overrides=prepared.overrides), release


def _refuse_others(release: Release, names: frozenset[str]) -> None:
    state = {item.name for item in release.with_role(Role.STATE)}
    if unknown := sorted(names - state):
        known = ", ".join(sorted(state)) or "none"
        raise NotAllowed(
            f"{unknown[0]} is no state service of {release.stack}; it has {known}",
            next_command=f"berth deploy {release.stack}",
        )


def _changed(
    outside: Outside, release: Release, names: frozenset[str], observed: Observed
) -> dict[str, str]:
    """The named services that do not run as the files say, and what differs."""
    found = {}
    for service in release.with_role(Role.STATE):
        if service.name not in names:
            continue
        differs = state_differences(outside, release, service.name, observed)
        record = observed.applied.get(service.name, release)
        applied = _service(record, service.name)
        is_running = observed.running.issuperset(applied.containers)
        if differs or not is_running:
            found[service.name] = "; ".join(differs) or "it does not run"
    return found


async def _refuse_foreign_data(
    outside: Outside, release: Release, service: ReleaseService, observed: Observed
) -> None:
    """Refuse a database of another kind or major version over the data that is there."""
    applied = observed.applied.get(service.name)
    if applied is None or service.image is None:
        return
    old = await _version(outside, _service(applied, service.name))
    new = await _version(outside, service)
    old = await _version_of_data(outside, service, observed, old)
    why = refusal(old, new)
    if why:
        raise NotAllowed(f"{release.stack}: {service.name}: {why}", next_command=f"see {GUIDE}")


async def _version(outside: Outside, service: ReleaseService) -> DatabaseVersion | None:
    if service.image is None:
        return None
    image = await outside.runtime.image(service.image.runs_as)
    if image is None and database_version(service.image.reference, {}) is not None:
        await outside.runtime.pull(service.image.runs_as)
        image = await outside.runtime.image(service.image.runs_as)
    return database_version(service.image.reference, image.environment if image else {})


async def _version_of_data(
    outside: Outside,
    service: ReleaseService,
    observed: Observed,
    known: DatabaseVersion | None,
) -> DatabaseVersion | None:
    """What the data directory itself says, when the server runs: no tag is surer than that."""
    name = service.containers[0]
    if known is None or known.family != "postgres" or name not in observed.running:
        return known
    try:
        answer = await outside.runtime.execute(name, ["printenv", "PGDATA"])
        folder = answer.output.strip() or "/var/lib/postgresql/data"
        answer = await outside.runtime.execute(name, ["cat", f"{folder}/PG_VERSION"])
    except OutsideError:
        return known
    major = major_of(answer.output.strip(), 1) if answer.exit_code == 0 else ""
    return replace(known, major=major) if major else known


async def _refuse_lost_data(
    outside: Outside,
    release: Release,
    service: ReleaseService,
    observed: Observed,
    confirm: str | None,
) -> None:
    """What destroys data asks for the stack's name."""
    applied = observed.applied.get(service.name)
    is_there = observed.containers.intersection(service.containers)
    if applied is None or not is_there or confirm == str(release.stack):
        return
    before = state_definition(outside, applied, service.name)
    after = state_definition(outside, release, service.name)
    pin = _service(applied, service.name).image
    image = await outside.runtime.image(pin.runs_as) if pin else None
    lost = lost_data(before, after, image.volumes if image else ()) if before and after else ""
    if lost:
        raise NotAllowed(
            f"{release.stack}: {service.name}: {lost}",
            next_command=f"mount it as before; or give it up: berth deploy {release.stack} "
            f"--state {service.name} --confirm {release.stack}",
        )


def _service(release: Release, name: str) -> ReleaseService:
    return next(item for item in release.services if item.name == name)


def give_reservations_back(outside: Outside, stack: StackId, number: int) -> None:
    """A state change needs no network of its own, and a refused one no number."""
    outside.store.give_number_back(stack, number)
    outside.store.free_subnet(f"{stack.release_project(number)}-net")
