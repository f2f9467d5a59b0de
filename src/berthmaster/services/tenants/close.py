"""`berth tenant suspend` and `unsuspend`: visitors get the 503 page, data and addresses stay."""

import contextlib

from berthmaster.domain.errors import NotFound, UserError
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.domain.tenancy import TenantState
from berthmaster.engine.lease import hold
from berthmaster.planner.tenants import plan_suspend, plan_unsuspend
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import Outcome, carry_out, refuse_unfinished
from berthmaster.services.domains.elsewhere import live_release as live_or_none
from berthmaster.services.observe import observe_stack
from berthmaster.services.tenant_spec import known_tenant
from berthmaster.services.tenants.note import note_state
from berthmaster.services.trouble import Troubles


async def suspend(outside: Outside, stack: StackId, progress: Progress) -> Outcome:
    """Close a tenant's stack; a suspended one stays so."""
    known_tenant(outside, stack)
    async with hold(outside.store, str(stack), what="berth tenant suspend") as lease:
        refuse_unfinished(outside, stack)
        live_release(outside, stack)
        outcome = await carry_out(
            outside, lease, plan_suspend(await observe_stack(outside, stack)), progress
        )
        is_known = known_tenant(outside, stack).state is TenantState.SUSPENDED
        if not is_known:  # there was nothing to do
            note_state(outside, stack, TenantState.SUSPENDED)
        return outcome


async def unsuspend(outside: Outside, stack: StackId, progress: Progress) -> Outcome:
    """Open it again: gated and probed like a release."""
    known_tenant(outside, stack)
    async with hold(outside.store, str(stack), what="berth tenant unsuspend") as lease:
        refuse_unfinished(outside, stack)
        release = live_release(outside, stack)
        observed = await observe_stack(outside, stack, release=release)
        outcome = await carry_out(outside, lease, plan_unsuspend(release, observed), progress)
        note_state(outside, stack, TenantState.ACTIVE)
        return outcome


def live_release(outside: Outside, stack: StackId) -> Release:
    """What a tenant runs; raises `NotFound` when it has no release yet."""
    release = live_or_none(outside, stack)
    if release is None:
        raise NotFound(f"{stack} runs no release yet", next_command=f"berth tenant add {stack}")
    return release


async def suspend_expired(
    outside: Outside, progress: Progress, troubles: Troubles
) -> tuple[str, ...]:
    """Part of `berth tick`: close every tenant whose time is over; its data stays."""
    now, told = outside.clock.now(), list[str]()
    for tenant in outside.store.tenants():
        is_over = tenant.expires_at is not None and tenant.expires_at <= now
        if is_over and tenant.state is TenantState.ACTIVE:
            with troubles.noted(), contextlib.suppress(UserError):  # changed now, or never served
                await suspend(outside, tenant.stack, progress)
                told.append(f"{tenant.stack}: its time is over; it is suspended, its data is kept")
    return tuple(told)
