"""`berth.yaml` as it counts for one stack: a tenant has its own hosts, values, secrets and limits,
a rehearsal its own of all that production has.

The artifact is the same for all of them; what is different here is what `planner` and the adapters
find in the environment of the spec, so that no tenant takes a path of its own through a deploy.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.rehearsal import REHEARSAL, rehearsed
from berthmaster.domain.spec import AppSpec, EnvironmentSpec, Limits, Overlay, TenancyMode
from berthmaster.domain.tenancy import Tenant, TenantState, tenant_hosts
from berthmaster.ports.outside import Outside


def read_spec(
    outside: Outside, folder: Path, stack: StackId, overlay: Overlay | None = None
) -> AppSpec:
    """Read it for a stack; raises `InvalidSpec`, and `NotFound` for a tenant that is not there.

    Without an overlay that of what runs counts.
    """
    return spec_for(outside, read_shared(outside, folder, stack, overlay), stack)


def read_shared(
    outside: Outside, folder: Path, stack: StackId, overlay: Overlay | None = None
) -> AppSpec:
    """The same as it counts for every stack of the environment: with the overlay alone."""
    spec = outside.specs.read(folder)
    return overlaid(spec, stack.environment, overlay_of(outside, spec, stack, overlay))


def overlay_of(outside: Outside, spec: AppSpec, stack: StackId, overlay: Overlay | None) -> Overlay:
    """What is laid over `berth.yaml`; nothing once it names files and places itself."""
    found = outside.store.overlay(stack) if overlay is None else overlay
    there = spec.environments.get(stack.environment)
    is_written = (
        there is not None
        and set(found.files) <= set(there.compose)
        and found.renames.items() <= there.renames.items()
    )
    return Overlay() if is_written else found


def overlaid(spec: AppSpec, environment: str, overlay: Overlay) -> AppSpec:
    """Lay Compose files over an environment's."""
    there = spec.environments.get(environment)
    if there is None or not overlay:
        return spec
    more = tuple(name for name in overlay.files if name not in there.compose)
    changed = replace(
        there,
        compose=(*there.compose, *more),
        renames={**there.renames, **overlay.renames},
    )
    return replace(spec, environments={**spec.environments, environment: changed})


def spec_for(outside: Outside, spec: AppSpec, stack: StackId) -> AppSpec:
    """The same with what a tenant or a rehearsal has of its own; of any other stack as it is."""
    there = spec.environments.get(stack.environment)
    if there is not None and is_rehearsal(outside, stack):
        return rehearsed(spec, there, str(secrets_folder(outside, stack)))
    if stack.tenant is None or there is None or not is_silo(spec):
        return spec
    tenant = known_tenant(outside, stack)
    changed = replace(
        there,
        hosts=tenant_hosts(outside.store.domains(stack)) or tenant.hosts,
        secrets=str(secrets_folder(outside, stack)),
        tenant=tenant.slug,
        values=_values(outside, tenant),
    )
    return replace(
        spec,
        environments={**spec.environments, there.name: changed},
        limits=limits_of(spec, tenant.size),
    )


def is_rehearsal(outside: Outside, stack: StackId) -> bool:
    """Whether it is the copy of an environment, and no customer who has that name."""
    return stack.tenant == REHEARSAL and outside.store.tenant(stack) is None


def is_silo(spec: AppSpec) -> bool:
    """Whether each customer of the app has a stack of its own."""
    return spec.tenancy is not None and spec.tenancy.mode is TenancyMode.SILO


def known_tenant(outside: Outside, stack: StackId) -> Tenant:
    """Its record; raises `NotFound` when there is none or only a tombstone."""
    found = outside.store.tenant(stack)
    if found is None:
        raise NotFound(f"there is no tenant {stack}", next_command=f"berth tenant add {stack}")
    if found.state is TenantState.REMOVED:
        raise NotFound(f"{stack} was removed", next_command=f"berth tenant restore {stack}")
    return found


def is_suspended(outside: Outside, stack: StackId) -> bool:
    """Whether it is a tenant's stack that was closed."""
    tenant = outside.store.tenant(stack) if stack.tenant else None
    return tenant is not None and tenant.state is TenantState.SUSPENDED


def refuse_suspended(outside: Outside, stack: StackId) -> None:
    """Raise `NotAllowed` for a tenant that is closed: nothing of it may start."""
    if is_suspended(outside, stack):
        raise NotAllowed(f"{stack} is suspended", next_command=f"berth tenant unsuspend {stack}")


def tenant_folder(outside: Outside, stack: StackId) -> Path:
    """Where the server keeps what is a tenant's own."""
    return outside.state_folder / "tenants" / stack.project


def secrets_folder(outside: Outside, stack: StackId) -> Path:
    """Where a tenant's secrets lie; made with the first of them."""
    return tenant_folder(outside, stack) / "secrets"


def limits_of(spec: AppSpec, size: str | None) -> Mapping[str, Limits]:
    """By service: what the app says for all, and a size of `tenancy.sizes` over it."""
    sized = spec.tenancy.sizes.get(size, {}) if spec.tenancy and size else {}
    names = spec.limits.keys() | sized.keys()
    nothing = Limits()
    return {
        name: _over(spec.limits.get(name, nothing), sized.get(name, nothing))
        for name in sorted(names)
    }


def own_options(environment: EnvironmentSpec, spec: AppSpec) -> dict[str, str]:
    """What of a tenant, and of services in others' places, counts for a fingerprint."""
    renames = {f"map.{name}": other for name, other in environment.renames.items()}
    if environment.tenant is None:
        return renames
    values = {f"value.{name}": value for name, value in environment.values.items()}
    limits = {f"limits.{name}": str(item) for name, item in spec.limits.items()}
    return {**renames, **values, **limits}


def _over(usual: Limits, own: Limits) -> Limits:
    return Limits(
        own.memory or usual.memory, own.cpus or usual.cpus, own.connections or usual.connections
    )


def _values(outside: Outside, tenant: Tenant) -> dict[str, str]:
    """Its own values, and what every tenant's Compose files can ask for."""
    hosts = tenant_hosts(outside.store.domains(tenant.stack)) or tenant.hosts
    found = {"TENANT": tenant.slug, **tenant.values}
    if hosts:
        found |= {"TENANT_HOST": hosts[0], "TENANT_HOSTS": ",".join(hosts)}
    return found
