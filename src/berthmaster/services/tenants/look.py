"""`berth tenant list` and `show`: what a tenant runs, how it is, and what it takes.

The list is two queries of the store and one of the engine, so that hundreds are seen at once.
Sizes, when somebody wants them, are what the engine counts: one call for all volumes, a short one
for each container's memory. Only a volume that it cannot measure is read by its own container.
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
    return await _sized(outside, lines) if with_sizes else tuple(lines)


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


async def _sized(outside: Outside, lines: list[TenantLine]) -> tuple[TenantLine, ...]:
    live = {line.tenant.stack: _running(outside, line) for line in lines}
    names = {stack: _containers(release) for stack, release in live.items() if release}
    volumes, memory = await asyncio.gather(
        volume_sizes(outside), _memory(outside, [one for some in names.values() for one in some])
    )
    disks = await disks_of(outside, [item for item in live.values() if item], volumes)
    return tuple(
        replace(
            line,
            disk_bytes=disks.get(line.tenant.stack),
            memory_bytes=_sum([memory.get(one) for one in names.get(line.tenant.stack, ())]),
        )
        for line in lines
    )


def _running(outside: Outside, line: TenantLine) -> Release | None:
    live = line.status.release if line.status else None
    if live is None or line.tenant.state is not TenantState.ACTIVE:
        return None
    return outside.store.release(line.tenant.stack, live)


def _containers(release: Release) -> list[str]:
    return [
        name
        for item in release.services
        if item.role.is_app_service or item.role is Role.STATE
        for name in item.containers
    ]


async def _memory(outside: Outside, names: list[str]) -> Mapping[str, int]:
    try:
        return await outside.runtime.memory(names)
    except OutsideError:
        return {}


async def volume_sizes(outside: Outside) -> Mapping[str, int]:
    """What the engine counts in one call; empty when it cannot, or counts for somebody else now."""
    try:
        return await outside.runtime.volume_sizes()
    except OutsideError:
        return {}


async def disks_of(
    outside: Outside, releases: Iterable[Release], volumes: Mapping[str, int]
) -> dict[StackId, int | None]:
    """By stack, the bytes in the volumes of what it runs; None when nobody can say."""
    limit, wanted = asyncio.Semaphore(AT_ONCE), list(releases)

    async def one(release: Release) -> int | None:
        found = list[int | None]()
        for place in _places(release):
            size = volumes.get(place.volume)
            if size is None:
                async with limit:
                    size = await _disk(outside, place)
            found.append(size)
        return _sum(found)

    sizes = await asyncio.gather(*map(one, wanted))
    return {item.stack: size for item, size in zip(wanted, sizes, strict=True)}


@dataclass(frozen=True, slots=True)
class _Place:
    """A volume, as the engine calls it, and a container that has it, and where."""

    volume: str
    container: str
    path: str


def _places(release: Release) -> Iterator[_Place]:
    seen: set[str] = set()
    by_key = {
        key: name
        for item in release.services
        for key, name in zip(item.compose_services, item.containers, strict=True)
        if item.role is not Role.JOB
    }
    for model in (release.state_model, release.model):
        names = model.get("volumes") or {}
        for key, definition in (model.get("services") or {}).items():
            for mount in compose.mounts_of(definition):
                name = str((names.get(mount.source) or {}).get("name") or mount.source)
                if mount.kind == "volume" and name not in seen and key in by_key:
                    seen.add(name)
                    yield _Place(name, by_key[key], mount.target)


async def _disk(outside: Outside, place: _Place) -> int | None:
    """Read by the container itself: slow, and only where the program `du` is."""
    words = ["du", "-sk", place.path]
    try:
        answer = await outside.runtime.execute(place.container, words, timeout_seconds=10.0)
    except OutsideError:
        return None
    first = (answer.output.split() or [""])[0]
    return int(first) * 1024 if answer.exit_code == 0 and first.isdecimal() else None


def _sum(found: Iterable[int | None]) -> int | None:
    known = [item for item in found if item is not None]
    return sum(known) if known else None
