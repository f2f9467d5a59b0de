"""`berth tenant remove`, `restore`, `forget`: an end that can be taken back, and one that cannot.

A removed tenant leaves a tombstone: its name, values and hosts, its secrets, a verified backup of
its databases, and volumes that no dump holds. Its addresses and names are free again.
"""

from dataclasses import dataclass, replace

from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan, SwapDatabase
from berthmaster.domain.release import Release
from berthmaster.domain.tenancy import Tenant, TenantState
from berthmaster.engine.lease import hold
from berthmaster.planner.destroy import plan_destroy
from berthmaster.planner.tenants import backup_names, dumpable, plan_remove
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import Outcome, carry_out, refuse_unfinished
from berthmaster.services.domains.names import forget_certificates
from berthmaster.services.observe import observe_stack
from berthmaster.services.roll_back import roll_back
from berthmaster.services.tenant_spec import secrets_folder, tenant_folder
from berthmaster.services.tenants.add import Added, NewTenant, add_tenant, refuse_unrestored
from berthmaster.services.tenants.close import live_release
from berthmaster.services.tenants.note import rewrite_tenant


@dataclass(frozen=True, slots=True)
class Removed:
    """A tenant that is gone, and what of it was kept."""

    stack: StackId
    backup: str | None
    deployment: str | None


async def plan_removal(outside: Outside, stack: StackId) -> Plan:
    """The plan for it; changes nothing."""
    refuse_unrestored(_known(outside, stack))
    return await _plan(outside, stack, _backup_name(outside))


async def remove_tenant(outside: Outside, stack: StackId, progress: Progress) -> Removed:
    """Back it up and end it; the caller has asked for its name. Removed already is no error."""
    tenant = _known(outside, stack)
    if tenant.state is TenantState.REMOVED:
        return Removed(stack, tenant.backup, None)
    refuse_unrestored(tenant)  # a backup of it would take the place of the one that is whole
    if outside.store.stack(stack) is None:  # it was killed before it had a stack
        outside.store.bury_tenant(stack)
        return Removed(stack, None, None)
    backup = _backup_name(outside)
    async with hold(outside.store, str(stack), what="berth tenant remove") as lease:
        refuse_unfinished(outside, stack)
        tenant = _known(outside, stack)  # it may have ended before the lease was ours
        if tenant.state is TenantState.REMOVED:
            return Removed(stack, tenant.backup, None)
        plan = await _plan(outside, stack, backup)
        has_backup = plan.verb == "remove" and bool(dumpable(live_release(outside, stack)))
        tag = _live_tag(outside, stack)
        kept = backup if has_backup else None
        rewrite_tenant(outside, stack, lambda known: replace(known, backup=kept, tag=tag))
        hosts = tuple(item.host for item in outside.store.domains(stack))
        outcome = await carry_out(outside, lease, plan, progress)
    forget_certificates(outside, hosts)
    return Removed(stack, backup if has_backup else None, outcome.deployment)


async def restore_tenant(outside: Outside, wanted: NewTenant, progress: Progress) -> Added:
    """Make a removed tenant anew, with its secrets, and put its data back.

    Begun again after it was stopped, it goes on.
    """
    stack = wanted.stack
    tenant = _known(outside, stack)
    if tenant.state not in (TenantState.REMOVED, TenantState.RESTORING):
        raise NotAllowed(f"{stack} is not removed", next_command=f"berth tenant show {stack}")
    if tenant.state is TenantState.REMOVED:
        _revive(outside, wanted, tenant)
    wanted = replace(wanted, tag=wanted.tag or tenant.tag)
    added = await add_tenant(outside, wanted, progress, is_restored=True)
    release = live_release(outside, stack)
    if tenant.backup is not None:
        for name in backup_names(release, tenant.backup):
            await _put_back(outside, release, name, progress)
    rewrite_tenant(outside, stack, _whole)
    return added


def _whole(known: Tenant) -> Tenant:
    """One whose data is back: what its tombstone kept is not needed any more."""
    return replace(
        known, state=TenantState.ACTIVE, backup=None, tag=None, hosts=(), removed_at=None
    )


async def forget_tenant(outside: Outside, stack: StackId, progress: Progress) -> tuple[str, ...]:
    """Remove a tombstone with all that it kept; returns what was removed.

    One whose data never came back is ended with it.
    """
    tenant = _known(outside, stack)
    if tenant.state is TenantState.RESTORING:
        await _end(outside, stack, progress)
    elif tenant.state is not TenantState.REMOVED:
        raise NotAllowed(f"{stack} is not removed", next_command=f"berth tenant remove {stack}")
    told = []
    for volume in await outside.runtime.volumes({"berthmaster.stack": str(stack)}):
        await outside.runtime.remove_volume(volume.name)
        told.append(f"volume {volume.name}")
    told += [f"restore point {name}" for name in outside.files.prune_dumps(stack.project, 0)]
    folder = secrets_folder(outside, stack)
    told += [f"secret {name}" for name in outside.secret_files.names(folder)]
    outside.secret_files.remove_folder(tenant_folder(outside, stack))
    for item in outside.store.domains(stack):
        outside.store.remove_domain(item.host)
    outside.store.forget_tenant(stack)
    return tuple(told)


async def _end(outside: Outside, stack: StackId, progress: Progress) -> None:
    """What was begun of a tenant that is not whole: stack, volumes, hosts."""
    if outside.store.stack(stack) is None:
        return
    async with hold(outside.store, str(stack), what="berth tenant forget") as lease:
        refuse_unfinished(outside, stack)
        observed = await observe_stack(outside, stack)
        numbers = tuple(item.number for item in outside.store.releases(stack))
        plan = plan_destroy(observed, numbers=numbers, removes_volumes=True)
        await carry_out(outside, lease, plan, progress)


async def _plan(outside: Outside, stack: StackId, backup: str) -> Plan:
    observed = await observe_stack(outside, stack)
    numbers = tuple(item.number for item in outside.store.releases(stack))
    if observed.live is None:  # it never served: there is nothing to back up
        return plan_destroy(observed, numbers=numbers, removes_volumes=True)
    return plan_remove(observed.live, observed, numbers=numbers, backup=backup)


def _live_tag(outside: Outside, stack: StackId) -> str | None:
    return next((one.tag for one in outside.store.live_releases() if one.stack == stack), None)


def _backup_name(outside: Outside) -> str:
    return f"final-{outside.clock.now():%Y%m%d-%H%M%S}"


def _known(outside: Outside, stack: StackId) -> Tenant:
    found = outside.store.tenant(stack)
    if found is None:
        raise NotFound(f"there is no tenant {stack}", next_command="berth tenant list")
    return found


def _revive(outside: Outside, wanted: NewTenant, tenant: Tenant) -> None:
    """Its name and hosts first: a host that somebody else has by now refuses all of it."""
    spec = outside.specs.read(wanted.folder)
    suffix = spec.tenancy.suffix(tenant.stack.environment) if spec.tenancy else None
    custom = {host for host in tenant.hosts if not suffix or not host.endswith(f".{suffix}")}
    outside.store.revive_tenant(tenant.stack, frozenset(custom))


async def _put_back(outside: Outside, release: Release, name: str, progress: Progress) -> None:
    """Put one database back under the live release; what the new one held is nobody's."""
    outcome: Outcome = await roll_back(
        outside, release.stack, progress, to=release.number, restore_point=name
    )
    for step in outcome.plan.steps:
        if isinstance(step.action, SwapDatabase):
            await outside.databases.drop(step.action.container, step.action.kept)
