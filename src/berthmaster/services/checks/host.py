"""Checks of the machine: engine, Compose, disk, inodes, memory, addresses, clock."""

import re
from datetime import timedelta
from typing import Any, Final

from berthmaster.domain import checks
from berthmaster.domain.check import Check, CheckKind
from berthmaster.domain.errors import OutsideError
from berthmaster.planner import composemodel as compose
from berthmaster.services.checks.facts import CheckFacts

OLDEST_ENGINE: Final = (20, 10)  # design D12
PROBE_OWNER: Final = "berth-check"  # reserves a subnet for a moment, to see that one is left
MEMORY_FLOOR: Final = 0.05  # of all memory: below it the kernel begins to kill
STEP_BACK: Final = timedelta(seconds=60)
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\Z", re.IGNORECASE)
_FACTORS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


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
    """Compose's version; none, and an old one, raise."""
    try:
        version = await facts.outside.compose.version()
    except OutsideError as error:
        return [checks.COMPOSE.failed(error.message)]
    return [checks.COMPOSE.ok(f"Docker Compose {version}")]


async def check_disk(facts: CheckFacts) -> list[Check]:
    """Space of the state folder's disk against the floor."""
    disk = facts.outside.host.disk(facts.outside.state_folder)
    free = 100 * disk.free_bytes / max(disk.total_bytes, 1)
    evidence = f"{free:.0f} % of {facts.outside.state_folder} free"
    return [_against_floor(facts, checks.DISK, free, evidence)]


async def check_inodes(facts: CheckFacts) -> list[Check]:
    """Inodes of the state folder's disk against the same floor; some file systems count none."""
    disk = facts.outside.host.disk(facts.outside.state_folder)
    if not disk.total_inodes:
        return [checks.INODES.ok("this file system has as many as it needs")]
    free = 100 * disk.free_inodes / disk.total_inodes
    evidence = f"{free:.0f} % of the inodes of {facts.outside.state_folder} free"
    return [_against_floor(facts, checks.INODES, free, evidence)]


def _against_floor(facts: CheckFacts, kind: CheckKind, free: float, evidence: str) -> Check:
    floor = facts.outside.disk_floor_percent
    if free < floor:
        return kind.failed(f"{evidence}; the floor is {floor} %")
    return kind.ok(evidence)


async def check_memory(facts: CheckFacts) -> list[Check]:
    """What the new release may use beside the old one is there."""
    memory = facts.outside.host.memory()
    wanted = _limits(facts)
    free = memory.available_bytes
    if wanted > free:
        evidence = f"the new release may use {_shown(wanted)}, {_shown(free)} are free"
        return [checks.MEMORY.failed(evidence)]
    if free < MEMORY_FLOOR * memory.total_bytes:
        evidence = f"{_shown(free)} of {_shown(memory.total_bytes)} are free"
        return [checks.MEMORY.failed(evidence)]
    limited = (
        f"the release may use {_shown(wanted)} of them" if wanted else "no service has a limit"
    )
    return [checks.MEMORY.ok(f"{_shown(free)} free; {limited}")]


def _limits(facts: CheckFacts) -> int:
    """The sum over all replicas of the app services that say how much they may use."""
    if facts.rendering_or_none is None:
        return 0
    services = compose.services_of(facts.rendering.model)
    total = 0
    for item in facts.rendering.decisions:
        if item.role.is_app_service:
            copies = facts.environment.replicas.get(item.service, 1)
            total += copies * _limit(services[item.service])
    return total


def _limit(service: Any) -> int:
    limits = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    text = str(limits.get("memory") or service.get("mem_limit") or "0")
    match = _SIZE.match(text)
    return int(float(match[1]) * _FACTORS[match[2].lower()]) if match else 0


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
    evidence = f"{used} networks cut from {outside.address_block}, more are free"
    return [checks.ADDRESSES.ok(evidence)]


async def check_clock(facts: CheckFacts) -> list[Check]:
    """The clock has not gone back since the last entry, and something keeps it right."""
    now = facts.outside.clock.now()
    last = next(iter(facts.outside.store.events(None, 1)), None)
    if last is not None and last.at > now + STEP_BACK:
        evidence = f"it is {now:%Y-%m-%d %H:%M} UTC; the record ends {last.at:%Y-%m-%d %H:%M} UTC"
        return [checks.CLOCK.failed(evidence)]
    is_right = facts.outside.host.is_clock_synchronised()
    if is_right is None:
        return [checks.CLOCK.unknown("the kernel does not say whether anything keeps it right")]
    if not is_right:
        return [checks.CLOCK.note("nothing keeps the clock right (adjtimex)", checks.CLOCK.remedy)]
    return [checks.CLOCK.ok("kept right by a time service")]


def _shown(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.0f} MiB"
