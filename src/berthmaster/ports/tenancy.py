"""The part of the store about tenants and their domains."""

from typing import TYPE_CHECKING, Protocol

from berthmaster.domain.names import StackId
from berthmaster.domain.tenancy import Domain, Proof, Tenant, Watched

if TYPE_CHECKING:
    from berthmaster.domain.rollout import Rollout, RolloutLine, RolloutState


class TenancyStore(Protocol):
    """Rows of tenants and domains; a domain belongs to one tenant over all stacks."""

    def tenants(self, app: str | None = None, environment: str | None = None) -> tuple[Tenant, ...]:
        """By address, tombstones too."""
        ...

    def tenant(self, stack: StackId) -> Tenant | None: ...

    def save_tenant(self, tenant: Tenant) -> None:
        """Add it, or change all that is known of it but `watched`."""
        ...

    def set_watched(self, stack: StackId, watched: Watched) -> None:
        """Note what was last seen of it; nothing else of it changes."""
        ...

    def bury_tenant(self, stack: StackId) -> None:
        """Make it a tombstone that remembers its hosts, which are free from now on.

        Part of `forget_stack` too. What is no tenant, or a tombstone, is left as it is.
        """
        ...

    def revive_tenant(self, stack: StackId, custom: frozenset[str] = frozenset()) -> None:
        """Make a tombstone a tenant again that is being restored, with its hosts.

        `custom` are those of them that are its own.

        Raises `NotAllowed`, and changes nothing, when a host is somebody else's by now.
        """
        ...

    def forget_tenant(self, stack: StackId) -> None:
        """Remove even the tombstone; its domains must be gone. What is not there is no error."""
        ...

    def add_rollout(self, rollout: "Rollout") -> int:
        """Record it with its lines, and return its number; earlier ones of the environment that
        are not over are replaced.
        """
        ...

    def rollout(self, app: str, environment: str) -> "Rollout | None":
        """The newest one of an environment."""
        ...

    def set_rollout_state(
        self, rollout_id: int, state: "RolloutState", *, unless: "RolloutState | None" = None
    ) -> bool:
        """Returns whether it changed: with `unless` not when it is in that state."""
        ...

    def set_rollout_line(self, rollout_id: int, line: "RolloutLine") -> None: ...

    def domains(self, stack: StackId | None = None) -> tuple[Domain, ...]:
        """Of one stack or of all, by tenant, the primary one first."""
        ...

    def domain(self, host: str) -> Domain | None: ...

    def add_domain(self, domain: Domain) -> None:
        """Add one; what this tenant has already stays as it is.

        The first one of a tenant becomes its primary one. Raises `NotAllowed` for a host of
        another tenant or stack.
        """
        ...

    def set_primary(self, host: str) -> None:
        """Make it the tenant's primary one, and no other; raises `NotFound`."""
        ...

    def set_proof(self, host: str, proof: Proof) -> None:
        """Note whether its owner has shown that it is theirs; raises `NotFound`."""
        ...

    def remove_domain(self, host: str) -> None:
        """What is not there is no error."""
        ...
