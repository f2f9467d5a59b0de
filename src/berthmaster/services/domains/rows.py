"""The rows of an environment's domains, whoever keeps them."""

from pathlib import Path
from typing import assert_never

from berthmaster.domain.domainpolicy import DomainRow, has_tenants
from berthmaster.domain.errors import NotAllowed
from berthmaster.domain.names import StackId
from berthmaster.domain.spec import AppSpec, HttpSource, RowSource, TenancyMode
from berthmaster.ports.outside import Outside
from berthmaster.services.domains.elsewhere import NO_TENANTS, live_release
from berthmaster.services.domains.over_http import ask_rows
from berthmaster.services.observe import applied_states


async def read_rows(
    outside: Outside, stack: StackId, spec: AppSpec
) -> tuple[DomainRow, ...] | None:
    """The app's own rows, or Berthmaster's; None when the app has no table yet."""
    source = spec.domains.source
    if source is None:
        return own_rows(outside, stack, spec)
    match source:
        case HttpSource():
            return await ask_rows(outside, stack, spec, source)
        case RowSource():
            container = container_of(outside, stack, source.service)
            return await outside.databases.domain_rows(container, source) if container else None
        case _:
            assert_never(source)


def own_rows(outside: Outside, stack: StackId, spec: AppSpec) -> tuple[DomainRow, ...]:
    """Those that Berthmaster made itself."""
    is_silo = spec.tenancy is not None and spec.tenancy.mode is TenancyMode.SILO
    return tuple(
        DomainRow(item.host, item.host, item.is_primary, item.tenant or item.stack.tenant or "")
        for item in outside.store.domains(None if is_silo else stack)
        if (item.stack.app, item.stack.environment) == (stack.app, stack.environment)
    )


def container_of(outside: Outside, stack: StackId, service: str) -> str | None:
    """The container of a state service; None before the first deploy, raises for another name."""
    live = live_release(outside, stack)
    if live is None:
        return None
    applied = applied_states(outside, stack, live).get(service, live)
    for item in applied.services:
        if item.name == service and item.containers:
            return item.containers[0]
    raise NotAllowed(
        f"domains.source.service: {stack} has no state service {service}",
        next_command="name one of its databases",
    )


def read_spec_of(outside: Outside, stack: StackId, folder: Path) -> AppSpec:
    """berth.yaml of an app with tenants; raises `NotAllowed` for one without."""
    spec = outside.specs.read(folder)
    if not has_tenants(spec):
        raise NotAllowed(f"{stack}: {NO_TENANTS}", next_command="docs/how-to/domains.md")
    return spec
