"""`berth check`: everything that can be known to be wrong before a deploy, and its remedy.

Changes nothing. Each check is a small function; one that cannot be asked becomes a finding itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from berthmaster.domain.errors import BerthmasterError, OutsideError, UserError
from berthmaster.domain.names import StackId
from berthmaster.ports.outside import Outside
from berthmaster.services.bring_up_gateway import read_gateway
from berthmaster.services.check_surroundings import disk_shortage
from berthmaster.services.pin_images import pin_images
from berthmaster.services.render_model import ReleaseRequest, Rendering, render_model

OLDEST_ENGINE: Final = (20, 10)  # design D12
PROBE_OWNER: Final = "berth-check"  # reserves a subnet for a moment, to see that one is left
SHOWN_DIFFERENCES: Final = 3


class Severity(StrEnum):
    """What a check found."""

    OK = "ok"
    NOTE = "note"  # worth knowing, stops nothing
    CHANGE = "change"  # must be changed before a deploy
    OUTSIDE = "outside"  # something outside failed or is not up


@dataclass(frozen=True, slots=True)
class Check:
    """One answer; `id` is stable."""

    id: str
    severity: Severity
    evidence: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All checks of one environment."""

    stack: StackId
    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """2 when something must be changed, 3 when only outside things failed."""
        severities = {item.severity for item in self.checks}
        if Severity.CHANGE in severities:
            return 2
        return 3 if Severity.OUTSIDE in severities else 0


Checker = Callable[[], Awaitable[list[Check]]]


async def check_environment(outside: Outside, request: ReleaseRequest) -> CheckReport:
    """Ask everything, in an order a person would; raises nothing for what it finds."""
    checks: list[Check] = []
    rendering = await _render(outside, request, checks)
    if rendering is not None:
        checks += _policy(rendering)
        checks += _roles(rendering)
        checks += _entrypoint(outside, rendering)
    checkers: list[tuple[str, Checker]] = [
        ("gateway", lambda: _gateway(outside)),
        ("firewall", lambda: _firewall(outside)),
        ("docker", lambda: _engine(outside)),
        ("compose", lambda: _compose(outside)),
    ]
    if rendering is not None:
        checkers.insert(0, ("images", lambda: _images(outside, rendering)))
    answers = await asyncio.gather(*(_asked(name, checker) for name, checker in checkers))
    checks += [item for answer in answers for item in answer]
    checks += _local(outside, request.stack)
    return CheckReport(request.stack, tuple(checks))


async def _render(
    outside: Outside, request: ReleaseRequest, checks: list[Check]
) -> Rendering | None:
    try:
        rendering = await render_model(outside, request)
    except BerthmasterError as error:
        checks.append(_failed("files", error))
        return None
    files = ", ".join(rendering.environment.compose)
    services = len(rendering.model["services"])
    checks.append(Check("files", Severity.OK, f"{files}: {services} services"))
    return rendering


def _policy(rendering: Rendering) -> Iterator[Check]:
    for item in rendering.violations:
        what = f"{item.service}: {item.evidence}" if item.service else item.evidence
        if item.is_allowed_by is None:
            yield Check(f"policy.{item.rule}", Severity.CHANGE, what, item.remedy)
        else:
            why = f"{what}; allowed: {item.is_allowed_by.why}"
            yield Check(f"policy.{item.rule}", Severity.NOTE, why)
    if not rendering.violations:
        yield Check("policy", Severity.OK, "nothing that the policy refuses")


def _roles(rendering: Rendering) -> Iterator[Check]:
    for item in rendering.decisions:
        severity = Severity.NOTE if item.is_ambiguous else Severity.OK
        remedy = f"write services.{item.service}.role in berth.yaml" if item.is_ambiguous else ""
        evidence = f"{item.service} is {item.role}: {item.reason}"
        yield Check("role", severity, evidence, remedy)


def _entrypoint(outside: Outside, rendering: Rendering) -> list[Check]:
    wanted = rendering.environment.entrypoint
    known = {item.name: item.port for item in outside.entrypoints}
    if not rendering.spec.routes and not rendering.spec.sites:
        return []
    if wanted in known:
        return [Check("entrypoint", Severity.OK, f"{wanted} is port {known[wanted]}")]
    names = ", ".join(known) or "none"
    evidence = f"{wanted!r} is no entrypoint of this server; it has {names}"
    remedy = "set `entrypoint` of the environment, or add it to the server's settings"
    return [Check("entrypoint", Severity.CHANGE, evidence, remedy)]


async def _images(outside: Outside, rendering: Rendering) -> list[Check]:
    pinned = await pin_images(outside, rendering.model, rendering.decisions)
    notes = [Check("images", Severity.NOTE, note) for note in pinned.notes]
    return [Check("images", Severity.OK, f"{len(pinned.pins)} resolved"), *notes]


async def _gateway(outside: Outside) -> list[Check]:
    status = await read_gateway(outside)
    if not status.is_router_up:
        return [Check("gateway", Severity.OUTSIDE, "the router does not run", "berth gateway up")]
    if status.differences:
        shown = "; ".join(status.differences[:SHOWN_DIFFERENCES])
        evidence = f"{len(status.differences)} differences to the store: {shown}"
        return [Check("gateway", Severity.OUTSIDE, evidence, "berth gateway up")]
    return [Check("gateway", Severity.OK, "router up, its table equals the store's")]


async def _firewall(outside: Outside) -> list[Check]:
    ports = [item.port for item in outside.entrypoints]
    found = await outside.firewall.differences(outside.address_block, ports)
    if not found:
        return [Check("firewall", Severity.OK, f"the chain guards {outside.address_block}")]
    evidence = f"{len(found)} rules of the chain differ, for example {found[0]}"
    return [Check("firewall", Severity.OUTSIDE, evidence, "berth gateway up")]


async def _engine(outside: Outside) -> list[Check]:
    engine = await outside.runtime.version()
    numbers = tuple(int(part) for part in engine.version.split(".")[:2] if part.isdigit())
    evidence = f"Docker Engine {engine.version}, API {engine.api}"
    if numbers < OLDEST_ENGINE:
        oldest = ".".join(map(str, OLDEST_ENGINE))
        return [Check("docker", Severity.OUTSIDE, evidence, f"install {oldest} or newer")]
    if engine.can_deadlock:
        evidence += ": it can hang when two containers leave a network at once (moby 46661)"
        return [Check("docker", Severity.NOTE, evidence, "install 20.10.27 or newer")]
    return [Check("docker", Severity.OK, evidence)]


async def _compose(outside: Outside) -> list[Check]:
    return [Check("compose", Severity.OK, f"Docker Compose {await outside.compose.version()}")]


async def _asked(name: str, checker: Checker) -> list[Check]:
    try:
        return await checker()
    except BerthmasterError as error:
        return [_failed(name, error)]


def _local(outside: Outside, stack: StackId) -> Iterator[Check]:
    """What needs neither Docker nor the network."""
    try:
        yield _disk(outside)
        yield _addresses(outside)
        yield _lease(outside, stack)
        yield from _unfinished(outside, stack)
    except OutsideError as error:
        yield _failed("server", error)


def _disk(outside: Outside) -> Check:
    shortage = disk_shortage(outside)
    if shortage:
        remedy = "free space, or lower the setting disk_floor_percent"
        return Check("disk", Severity.OUTSIDE, shortage, remedy)
    disk = outside.host.disk(outside.state_folder)
    free = 100 * disk.free_bytes / max(disk.total_bytes, 1)
    return Check("disk", Severity.OK, f"{free:.0f} % of {outside.state_folder} free")


def _addresses(outside: Outside) -> Check:
    taken = [cidr for cidr in outside.host.routes() if cidr not in outside.store.subnets().values()]
    try:
        outside.store.reserve_subnets([PROBE_OWNER], taken=taken)
    except OutsideError as error:
        return Check("addresses", Severity.CHANGE, error.message, "raise the setting address_block")
    outside.store.free_subnet(PROBE_OWNER)
    used = len(outside.store.subnets())
    evidence = f"{used} networks cut from {outside.address_block}, more are free"
    return Check("addresses", Severity.OK, evidence)


def _lease(outside: Outside, stack: StackId) -> Check:
    lease = outside.store.lease(str(stack))
    if lease is None or lease.expires_at <= outside.clock.now():
        return Check("lease", Severity.OK, "nobody changes this stack now")
    step = f", at step {lease.step}" if lease.step else ""
    return Check("lease", Severity.NOTE, f"held by {lease.holder}{step}", "wait until it is done")


def _unfinished(outside: Outside, stack: StackId) -> Iterator[Check]:
    for item in outside.store.unfinished():
        if item.stack == stack:
            evidence = f"{item.label} ({item.verb}) is {item.state}"
            remedy = f"berth continue {item.label}, or berth unwind {item.label}"
            yield Check("deployment", Severity.CHANGE, evidence, remedy)


def _failed(name: str, error: BerthmasterError) -> Check:
    severity = Severity.CHANGE if isinstance(error, UserError) else Severity.OUTSIDE
    return Check(name, severity, error.message, error.next_command or "")
