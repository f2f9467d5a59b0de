"""Checks of the machine: engine, Compose, disk, addresses."""

from typing import Final

from berthmaster.domain import checks
from berthmaster.domain.check import Check
from berthmaster.domain.errors import OutsideError
from berthmaster.services.check_surroundings import disk_shortage
from berthmaster.services.checks.facts import CheckFacts

OLDEST_ENGINE: Final = (20, 10)  # design D12
PROBE_OWNER: Final = "berth-check"  # reserves a subnet for a moment, to see that one is left


async def check_docker(facts: CheckFacts) -> list[Check]:
    """The engine's version."""
    engine = await facts.outside.runtime.version()
    numbers = tuple(int(part) for part in engine.version.split(".")[:2] if part.isdigit())
    evidence = f"Docker Engine {engine.version}, API {engine.api}"
    if numbers < OLDEST_ENGINE:
        return [checks.DOCKER.failed(evidence)]
    if engine.can_deadlock:
        evidence += ": it can hang when two containers leave a network at once (moby 46661)"
        return [checks.DOCKER.note(evidence, checks.DOCKER.remedy)]
    return [checks.DOCKER.ok(evidence)]


async def check_compose(facts: CheckFacts) -> list[Check]:
    """Compose's version; an old one raises."""
    return [checks.COMPOSE.ok(f"Docker Compose {await facts.outside.compose.version()}")]


async def check_disk(facts: CheckFacts) -> list[Check]:
    """Space and inodes of the state folder against the floor."""
    outside = facts.outside
    shortage = disk_shortage(outside)
    if shortage:
        return [checks.DISK.failed(shortage)]
    disk = outside.host.disk(outside.state_folder)
    free = 100 * disk.free_bytes / max(disk.total_bytes, 1)
    return [checks.DISK.ok(f"{free:.0f} % of {outside.state_folder} free")]


async def check_addresses(facts: CheckFacts) -> list[Check]:
    """Another subnet could be cut from the block."""
    outside = facts.outside
    taken = [cidr for cidr in outside.host.routes() if cidr not in outside.store.subnets().values()]
    try:
        outside.store.reserve_subnets([PROBE_OWNER], taken=taken)
    except OutsideError as error:
        return [checks.ADDRESSES.failed(error.message)]
    outside.store.free_subnet(PROBE_OWNER)
    used = len(outside.store.subnets())
    return [checks.ADDRESSES.ok(f"{used} networks cut from {outside.address_block}, more are free")]
