"""The part of the store about tenants and their domains."""

from typing import Protocol

from berthmaster.domain.names import StackId
from berthmaster.domain.tenancy import Domain, Proof, Tenant


class TenancyStore(Protocol):
    """Rows of tenants and domains; a domain belongs to one tenant over all stacks."""

    def tenants(self, app: str | None = None, environment: str | None = None) -> tuple[Tenant, ...]:
        """By address, tombstones too."""
        ...

    def tenant(self, stack: StackId) -> Tenant | None: ...

    def save_tenant(self, tenant: Tenant) -> None:
        """Add it, or change all that is known of it."""
        ...

    def forget_tenant(self, stack: StackId) -> None:
        """Remove even the tombstone; its domains must be gone. What is not there is no error."""
        ...

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
