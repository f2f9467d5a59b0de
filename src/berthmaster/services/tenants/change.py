"""`berth tenant set`, `pin`, `unpin`, `label`: what is known of a tenant; a deploy applies it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from berthmaster.domain.names import StackId
from berthmaster.domain.tenancy import Tenant
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import Event
from berthmaster.services.tenant_spec import known_tenant
from berthmaster.services.tenants.add import check_size, check_values
from berthmaster.services.tenants.note import rewrite_tenant


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be different; None and nothing: as it is."""

    values: Mapping[str, str] = field(default_factory=dict)  # an empty one goes
    size: str | None = None
    expires_at: datetime | None = None
    is_endless: bool = False  # it does not expire any more

    @property
    def needs_deploy(self) -> bool:
        """Whether what runs is only changed by a release."""
        return bool(self.values or self.size)


def amend(outside: Outside, folder: Path, stack: StackId, wanted: Changes) -> Tenant:
    """Record other values, another size or end; raises `InvalidSpec` and `NotAllowed` as an
    addition does.
    """
    known_tenant(outside, stack)
    spec = outside.specs.read(folder)
    check_size(spec, wanted.size)
    check_values(spec, stack, {key: value for key, value in wanted.values.items() if value})
    changed = rewrite_tenant(outside, stack, lambda known: _amended(known, wanted))
    names = [*wanted.values, *(["size"] if wanted.size else [])]
    names += ["expires"] if wanted.expires_at or wanted.is_endless else []
    at, actor = outside.clock.now(), outside.actor
    outside.store.record(Event(at, actor, str(stack), "tenant_changed", ", ".join(names)))
    return changed


def _amended(known: Tenant, wanted: Changes) -> Tenant:
    return replace(
        known,
        values=_merged(known.values, wanted.values),
        size=wanted.size or known.size,
        expires_at=None if wanted.is_endless else wanted.expires_at or known.expires_at,
    )


def _merged(known: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """One without a value goes."""
    return {key: value for key, value in {**known, **new}.items() if value}


def pin(outside: Outside, stack: StackId, because: str | None) -> Tenant:
    """Let rollouts leave it where it is, or not any more."""
    changed = rewrite_tenant(outside, stack, lambda known: replace(known, pinned=because))
    what = "tenant_unpinned" if because is None else "tenant_pinned"
    outside.store.record(Event(outside.clock.now(), outside.actor, str(stack), what, because or ""))
    return changed


def relabel(outside: Outside, stack: StackId, labels: Mapping[str, str]) -> Tenant:
    """Add labels; one without a value goes."""
    return rewrite_tenant(
        outside, stack, lambda known: replace(known, labels=_merged(known.labels, labels))
    )
