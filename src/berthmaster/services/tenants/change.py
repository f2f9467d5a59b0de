"""`berth tenant pin`, `unpin` and `set`: what is known of a tenant; the next deploy applies it."""

from collections.abc import Mapping
from dataclasses import replace

from berthmaster.domain.names import StackId
from berthmaster.domain.tenancy import Tenant
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import Event
from berthmaster.services.tenant_spec import known_tenant


def pin(outside: Outside, stack: StackId, because: str | None) -> Tenant:
    """Let rollouts leave it where it is, or not any more."""
    changed = replace(known_tenant(outside, stack), pinned=because)
    outside.store.save_tenant(changed)
    what = "tenant_unpinned" if because is None else "tenant_pinned"
    outside.store.record(Event(outside.clock.now(), outside.actor, str(stack), what, because or ""))
    return changed


def relabel(outside: Outside, stack: StackId, labels: Mapping[str, str]) -> Tenant:
    """Add labels; one without a value goes."""
    known = known_tenant(outside, stack)
    merged = {key: value for key, value in {**known.labels, **labels}.items() if value}
    changed = replace(known, labels=merged)
    outside.store.save_tenant(changed)
    return changed
