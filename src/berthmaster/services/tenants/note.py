"""What a tenant is: noted as soon as the deployment that made it so has ended, by whoever ended it.

A command that was killed just before is ended by the next one, which notes the same.
"""

from collections.abc import Callable
from dataclasses import replace

from berthmaster.domain.deployment import Deployment
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan, TakeRestorePoint
from berthmaster.domain.tenancy import Tenant, TenantState
from berthmaster.ports.outside import Outside
from berthmaster.services.tenant_spec import known_tenant


def note_end(outside: Outside, deployment: Deployment) -> None:
    """Note what a deployment that succeeded made of its tenant, if anything."""
    stack = deployment.stack
    tenant = outside.store.tenant(stack) if stack.tenant else None
    if tenant is None:
        return
    match deployment.verb:
        case "suspend" if tenant.state is not TenantState.SUSPENDED:
            note_state(outside, stack, TenantState.SUSPENDED)
        case "unsuspend":
            note_state(outside, stack, TenantState.ACTIVE)
        case "depart":
            note_state(outside, stack, TenantState.SUSPENDED, _taken(deployment.plan))
        case _:
            pass


def note_state(
    outside: Outside, stack: StackId, state: TenantState, backup: str | None = None
) -> None:
    """Record it; `backup` is what was handed over, and nothing any more once it is open again."""
    rewrite_tenant(outside, stack, lambda known: replace(known, state=state, backup=backup))


def rewrite_tenant(outside: Outside, stack: StackId, change: Callable[[Tenant], Tenant]) -> Tenant:
    """Change a tenant's record as it is now: what another command wrote meanwhile stays."""
    with outside.store.transaction():
        known = known_tenant(outside, stack)
        changed = change(known)
        if changed != known:
            outside.store.save_tenant(changed)
    return changed


def _taken(plan: Plan) -> str | None:
    """The name under which a plan dumps its databases; each of several adds its own."""
    points = [step.action for step in plan.steps if isinstance(step.action, TakeRestorePoint)]
    if not points:
        return None
    name = points[0].name
    return name if len(points) == 1 else name.removesuffix(f"-{points[0].service}")
