"""`berth tenant list` and `show`: what a tenant runs, how it is, and what it takes.

The list is two queries of the store and one of the engine, so that hundreds are seen at once; sizes
are asked of the containers, when somebody wants them.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from berthmaster.domain.errors import NotFound, OutsideError
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.domain.spec import Role
from berthmaster.domain.tenancy import AlertKind, Domain, Tenant, TenantState, tenant_hosts
from berthmaster.planner import composemodel as compose
from berthmaster.ports.outside import Outside
from berthmaster.services.read_status import StackLine, Status, read_status

AT_ONCE: Final = 8
_MEMORY: Final = (  # in a container's own control group: version 2, version 1
    "/sys/fs/cgroup/memory.current",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes",
)


@dataclass(frozen=True, slots=True)
class TenantLine:
    """One tenant as `list` shows it; sizes are None until they were asked for."""

    tenant: Tenant
    hosts: tuple[str, ...]
    status: StackLine | None  # None: it has no stack
    alerts: Mapping[AlertKind, str] = field(default_factory=dict)
    disk_bytes: int | None = None
    memory_bytes: int | None = None

    @property
    def state(self) -> str:
        """`up`, `degraded`, `down`, or why it does not serve."""
        if self.tenant.state is not TenantState.ACTIVE:
            return self.tenant.state.value
        if self.status is None or self.status.release is None:
            return "unfinished"
        return self.status.state


async def list_tenants(
    outside: Outside,
    app: str | None,
    environment: str | None,
    *,
    with_removed: bool = False,
    with_sizes: bool = False,
) -> tuple[TenantLine, ...]:
    """Every tenant of an app's environment, or of all."""
    tenants = [
        item
        for item in outside.store.tenants(app, environment)
        if with_removed or item.state is not TenantState.REMOVED
    ]
    status = await read_status(outside)
    statuses = {line.stack: line for line in status.lines}
    hosts = _by_stack(outside.store.domains())
    lines = [
        TenantLine(
            item,
            tenant_hosts(hosts.get(item.stack, ())) or item.hosts,
            statuses.get(item.stack),
            _alerts(status, item.stack),
        )
        for item in tenants
    ]
    return tuple(await _sized(outside, lines)) if with_sizes else tuple(lines)


async def show_tenant(outside: Outside, stack: StackId) -> TenantLine:
    """One tenant with its sizes; raises `NotFound`."""
    tenant = outside.store.tenant(stack)
    if tenant is None:
        raise NotFound(f"there is no tenant {stack}", next_command="berth tenant list")
    status = await read_status(outside, stack)
    hosts = tenant_hosts(outside.store.domains(stack)) or tenant.hosts
    line = TenantLine(tenant, hosts, next(iter(status.lines), None), _alerts(status, stack))
    return (await _sized(outside, [line]))[0]


def _alerts(status: Status, stack: StackId) -> dict[AlertKind, str]:
    return {item.kind: item.text for item in status.tenant_alerts if item.stack == stack}


def _by_stack(domains: Iterable[Domain]) -> Mapping[StackId, list[Domain]]:
    found: dict[StackId, list[Domain]] = {}
    for item in domains:
        found.setdefault(item.stack, []).append(item)
    return found


async def _sized(outside: Outside, lines: list[TenantLine]) -> list[TenantLine]:
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(line: TenantLine) -> TenantLine:
        async with limit:
            return await _with_sizes(outside, line)

    return list(await asyncio.gather(*map(one, lines)))


async def _with_sizes(outside: Outside, line: TenantLine) -> TenantLine:
    live = line.status.release if line.status else None
    release = outside.store.release(line.tenant.stack, live) if live else None
    if release is None or line.tenant.state is not TenantState.ACTIVE:
        return line
    names = [
        name
        for item in release.services
        if item.role.is_app_service or item.role is Role.STATE
        for name in item.containers
    ]
    memory = [await _memory(outside, name) for name in names]
    disk = await disk_of(outside, line.tenant.stack)
    return replace(line, disk_bytes=disk, memory_bytes=_sum(memory))


async def disk_of(outside: Outside, stack: StackId) -> int | None:
    """Bytes in the volumes of what a stack runs; None when nobody can say."""
    record = outside.store.stack(stack)
    release = outside.store.release(stack, record.live) if record and record.live else None
    if release is None:
        return None
    return _sum([await _disk(outside, name, path) for name, path in _places(release)])


def _places(release: Release) -> Iterator[tuple[str, str]]:
    """For each volume of the stack: a container that has it, and where."""
    seen: set[str] = set()
    by_key = {
        key: name
        for item in release.services
        for key, name in zip(item.compose_services, item.containers, strict=True)
        if item.role is not Role.JOB
    }
    for model in (release.state_model, release.model):
        for key, definition in (model.get("services") or {}).items():
            for mount in compose.mounts_of(definition):
                if mount.kind == "volume" and mount.source not in seen and key in by_key:
                    seen.add(mount.source)
                    yield by_key[key], mount.target


async def _memory(outside: Outside, container: str) -> int | None:
    for path in _MEMORY:
        found = await _number(outside, container, ["cat", path])
        if found is not None:
            return found
    return None


async def _disk(outside: Outside, container: str, path: str) -> int | None:
    kilobytes = await _number(outside, container, ["du", "-sk", path])
    return None if kilobytes is None else kilobytes * 1024


async def _number(outside: Outside, container: str, words: list[str]) -> int | None:
    """The number that a command in a container begins its answer with."""
    try:
        answer = await outside.runtime.execute(container, words, timeout_seconds=10.0)
    except OutsideError:
        return None
    first = (answer.output.split() or [""])[0]
    return int(first) if answer.exit_code == 0 and first.isdecimal() else None


def _sum(found: list[int | None]) -> int | None:
    known = [item for item in found if item is not None]
    return sum(known) if known else None
