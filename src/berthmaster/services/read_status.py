"""`berth status`: every stack on one line, from one store query each and one call to the engine.

Reads no release record, probes nothing and never fails because the engine is down: it says so.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import datetime

from berthmaster.domain.container import (
    LABEL_JOB,
    LABEL_RELEASE,
    LABEL_STACK,
    Container,
    Health,
)
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.names import StackId
from berthmaster.domain.release import ADOPTED
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.domain.tenancy import TenantState
from berthmaster.planner.retiring import let_go_command
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import ReleaseSummary, StackRecord
from berthmaster.services.domains.watch import Alert, open_alerts
from berthmaster.services.observe import adopted_containers
from berthmaster.services.tenants.alerts import TenantAlert, tenant_alerts
from berthmaster.services.watch_backups import backup_trouble


@dataclass(frozen=True, slots=True)
class StackLine:
    """One stack as `status` shows it."""

    stack: StackId
    state: str  # up, degraded, down, suspended, maintenance, empty, unknown
    release: int | None
    tag: str | None
    revision: str | None
    since: datetime | None
    running: int
    containers: int
    unhealthy: int
    warm: tuple[int, ...]  # releases that a rollback could switch to
    unfinished: str | None  # `d41 (deploy) applying`
    held_because: str | None
    kept: str | None = None  # command that lets go of r0, which runs on after its warm time


@dataclass(frozen=True, slots=True)
class Status:
    """All stacks, and why containers could not be counted."""

    lines: tuple[StackLine, ...]
    engine_error: str | None = None
    alerts: tuple[Alert, ...] = ()  # about certificates
    tenant_alerts: tuple[TenantAlert, ...] = ()
    backup_trouble: str | None = None  # of the server's own backups


async def read_status(outside: Outside, stack: StackId | None = None) -> Status:
    """Read every stack, or one; an engine that does not answer leaves the states `unknown`."""
    records = [item for item in outside.store.stacks() if stack is None or item.id == stack]
    releases = {item.stack: item for item in outside.store.live_releases()}
    unfinished = {
        item.stack: f"{item.label} ({item.verb}) {item.state}"
        for item in outside.store.unfinished()
    }
    try:
        found = await outside.runtime.containers({LABEL_STACK: ""})
        found = (*found, *await _adopted(outside, records))
        error = None
    except OutsideError as problem:
        found, error = (), problem.message
    by_stack, kept = _by_stack(found), _kept(outside)
    tenants = outside.store.tenants()
    closed = {item.stack for item in tenants if item.state is TenantState.SUSPENDED}
    lines = [
        _line(
            record,
            releases.get(record.id),
            None if error else by_stack[str(record.id)],
            unfinished.get(record.id),
            kept.get(record.id),
            is_closed=record.id in closed,
        )
        for record in sorted(records, key=lambda item: str(item.id))
    ]
    tags = {line.stack: line.tag for line in lines}
    sick = {line.stack: text for line in lines if (text := unwell(line))}
    told = tenant_alerts(outside, [item for item in tenants if item.stack in tags], tags, sick)
    return Status(tuple(lines), error, open_alerts(outside), told, backup_trouble(outside))


def unwell(line: StackLine) -> str | None:
    """What is wrong with a stack that does not do all that it is for; None when nothing is."""
    if line.state not in ("down", "degraded"):
        return None
    sick = f", {line.unhealthy} unhealthy" if line.unhealthy else ""
    return f"it is {line.state}: {line.running} of {line.containers} containers run{sick}"


def _kept(outside: Outside) -> dict[StackId, str]:
    """Where an adopted release is warm; the command when it runs on after its time, else empty."""
    now, found = outside.clock.now(), dict[StackId, str]()
    for item in outside.store.releases_in(ReleaseState.WARM):
        release = outside.store.release(item.stack, ADOPTED) if item.number == ADOPTED else None
        if release is not None and release.adopted and item.warm_until:
            found[item.stack] = let_go_command(release) if item.warm_until <= now else ""
    return found


async def _adopted(outside: Outside, records: list[StackRecord]) -> list[Container]:
    """Containers of releases 0, with the label that ours carry: their own cannot be changed."""
    found = []
    for record in records:
        if record.live == ADOPTED:
            for item in await adopted_containers(outside, record.id):
                found.append(replace(item, labels={LABEL_STACK: str(record.id)}))
    return found


def _by_stack(containers: tuple[Container, ...]) -> dict[str, list[Container]]:
    grouped: dict[str, list[Container]] = defaultdict(list)
    for container in containers:
        if LABEL_JOB not in container.labels:
            grouped[container.labels[LABEL_STACK]].append(container)
    return grouped


def _line(
    record: StackRecord,
    live: ReleaseSummary | None,
    containers: list[Container] | None,
    unfinished: str | None,
    kept: str | None,
    *,
    is_closed: bool,
) -> StackLine:
    ours = [item for item in containers or () if _belongs(item, record.live)]
    counted = Counter("running" if item.is_running else "stopped" for item in ours)
    unhealthy = sum(item.health is Health.UNHEALTHY for item in ours)
    warm = {
        int(item.labels[LABEL_RELEASE])
        for item in containers or ()
        if item.is_running and item.labels.get(LABEL_RELEASE, "").isdigit()
    } - {record.live}
    warm |= {ADOPTED} if kept == "" else set()
    state = _state(record, containers is not None, counted["running"], len(ours), unhealthy)
    return StackLine(
        stack=record.id,
        state="suspended" if is_closed and state == "down" else state,
        release=record.live,
        tag=live.tag if live else None,
        revision=live.revision if live else None,
        since=live.created_at if live else None,
        running=counted["running"],
        containers=len(ours),
        unhealthy=unhealthy,
        warm=tuple(sorted(item for item in warm if item is not None)),
        kept=kept or None,
        unfinished=unfinished,
        held_because=record.held_because,
    )


def _belongs(container: Container, live: int | None) -> bool:
    """State containers carry no release; of the others only the live release's count."""
    release = container.labels.get(LABEL_RELEASE)
    return not release or release == str(live)


def _state(
    record: StackRecord, is_known: bool, running: int, containers: int, unhealthy: int
) -> str:
    if record.live is None:
        return "empty"
    if not is_known:
        return "unknown"
    if running == 0:
        return "down"
    if record.is_in_maintenance:
        return "maintenance"
    return "degraded" if running < containers or unhealthy else "up"
