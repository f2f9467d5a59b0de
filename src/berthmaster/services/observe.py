"""Gathers what the planner must know about one stack; reads only."""

import asyncio

from berthmaster.domain.container import LABEL_STACK, PROJECT_LABEL, Container
from berthmaster.domain.errors import GatewayRefused
from berthmaster.domain.names import StackId
from berthmaster.domain.release import ADOPTED, Release
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.domain.routing import RouteTable
from berthmaster.domain.sealed import SealedValues
from berthmaster.domain.spec import Role
from berthmaster.planner.logins import logins_of
from berthmaster.planner.observed import Observed
from berthmaster.ports.outside import Outside
from berthmaster.services.find_bypass import find_bypass


async def observe_stack(
    outside: Outside, stack: StackId, *, release: Release | None = None
) -> Observed:
    """Observe a stack; `release` is the one about to be deployed, whose images are looked up.

    Without a gateway the table counts as empty, so that a plan can be shown; the checks refuse to
    deploy.
    """
    labels = {LABEL_STACK: str(stack)}
    containers, networks, volumes, table, images = await asyncio.gather(
        outside.runtime.containers(labels),
        outside.runtime.networks(labels),
        outside.runtime.volumes(labels),
        _table(outside),
        _present_images(outside, release),
    )
    record = outside.store.stack(stack)
    adopted = await adopted_containers(outside, stack)
    containers = (*containers, *adopted)
    live = outside.store.release(stack, record.live) if record and record.live is not None else None
    warm = _warm(outside, stack)
    return Observed(
        stack=stack,
        live=live,
        warm=warm,
        containers=frozenset(item.name for item in containers),
        running=frozenset(item.name for item in containers if _runs(item)),
        networks=frozenset(item.name for item in networks),
        volumes=frozenset(item.name for item in volumes),
        images=images,
        claims=frozenset(item for item in table.hosts if item.stack == stack.project),
        tenant_hosts=frozenset(
            item.host for item in outside.store.domains(stack) if item.is_routed
        ),
        attached=frozenset(
            item.release
            for item in table.prefixes
            if item.release.rpartition("/")[0] == stack.project
        ),
        is_in_maintenance=bool(record and record.is_in_maintenance),
        applied=applied_states(outside, stack, live),
        recorded=frozenset(outside.store.applied_states(stack)),
        other_passwords=_other_passwords(outside, live, release),
        bypass=await _bypass(outside, (live, *warm)),
    )


async def _bypass(outside: Outside, releases: tuple[Release | None, ...]) -> tuple[str, ...]:
    """Why visitors may reach what was adopted past the gateway, while it serves or is warm."""
    adopted = next((item for item in releases if item and item.adopted), None)
    return (await find_bypass(outside, adopted)).reasons if adopted else ()


async def adopted_containers(
    outside: Outside, stack: StackId, *, detailed: bool = False
) -> tuple[Container, ...]:
    """The containers that release 0 recorded and that are still the same; none without one."""
    release = outside.store.release(stack, ADOPTED)
    if release is None or not release.adopted:
        return ()
    labels = {PROJECT_LABEL: release.adopted_from}
    found = await outside.runtime.containers(labels, detailed=detailed)
    return tuple(item for item in found if release.adopted.get(item.name) == item.id)


def _other_passwords(
    outside: Outside, live: Release | None, release: Release | None
) -> frozenset[str]:
    """Databases whose password the release has otherwise than the live one; none without both."""
    if live is None or release is None or live.number == release.number:
        return frozenset()
    now, wanted = (logins_of(item, _opened(outside, item)) for item in (live, release))
    return frozenset(name for name in wanted if name in now and wanted[name] != now[name])


def _opened(outside: Outside, release: Release) -> SealedValues:
    return SealedValues.from_bytes(outside.vault.open(release.sealed))


def applied_states(outside: Outside, stack: StackId, live: Release | None) -> dict[str, Release]:
    """The record that each state service was started by; without one, the live release's."""
    numbers = outside.store.applied_states(stack)
    records = {number: outside.store.release(stack, number) for number in set(numbers.values())}
    started = {item.name: live for item in live.with_role(Role.STATE)} if live else {}
    found = {name: records[number] for name, number in numbers.items()}
    return started | {name: release for name, release in found.items() if release}


async def _table(outside: Outside) -> RouteTable:
    try:
        return await outside.router.table()
    except GatewayRefused:
        return RouteTable()


async def _present_images(outside: Outside, release: Release | None) -> frozenset[str]:
    if release is None:
        return frozenset()
    wanted = sorted({item.image.runs_as for item in release.services if item.image})
    found = await asyncio.gather(*(outside.runtime.image(name) for name in wanted))
    return frozenset(name for name, image in zip(wanted, found, strict=True) if image)


def _warm(outside: Outside, stack: StackId) -> tuple[Release, ...]:
    summaries = outside.store.releases(stack)
    numbers = [item.number for item in summaries if item.state is ReleaseState.WARM]
    found = [outside.store.release(stack, number) for number in numbers]
    return tuple(release for release in found if release)


def _runs(container: Container) -> bool:
    return container.is_running
