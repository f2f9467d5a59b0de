"""Part of `berth tick`: what tenants hold beside what they may, and whose time is over soon.

An alert is opened once and stays until its cause is gone. Volumes are measured every quarter
of an hour at most, because that reads the whole of them.
"""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from berthmaster.domain.errors import BerthmasterError, LeaseHeld, UserError
from berthmaster.domain.names import StackId
from berthmaster.domain.spec import TenancySpec
from berthmaster.domain.tenancy import AlertKind, Tenant, TenantState, Watched
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.ports.store import Event
from berthmaster.services.domains.elsewhere import live_release
from berthmaster.services.tenants.close import suspend
from berthmaster.services.tenants.look import disks_of, volume_sizes

MEASURED_EVERY: Final = timedelta(minutes=15)
EXPIRES_WITHIN: Final = timedelta(days=3)


async def watch_tenants(outside: Outside, progress: Progress, *, measures: bool) -> tuple[str, ...]:
    """Open and close alerts, and close tenants that hold too much where that is declared.

    Every command asks; without `measures` only the clock is looked at.
    """
    tenants = [item for item in outside.store.tenants() if item.state is TenantState.ACTIVE]
    due = [item for item in tenants if measures and _is_due(outside, item)]
    rules = _rules(outside, due)
    sizes = await _measure(outside, due, rules)
    told = list[str]()
    for tenant in tenants:
        alerts = dict(tenant.watched.alerts)
        _set(alerts, AlertKind.EXPIRES, _expires(outside, tenant))
        seen, rule = sizes.get(tenant.stack), rules.get(tenant.stack.app)
        if seen is not None:
            _set(alerts, AlertKind.DISK, _over(tenant, seen, rule))
        told += await _note(outside, tenant, replace(seen or tenant.watched, alerts=alerts))
        if seen and rule and rule.suspends_over_disk and AlertKind.DISK in alerts:
            told += await _close(outside, tenant, progress)
    return tuple(told)


def _is_due(outside: Outside, tenant: Tenant) -> bool:
    at = tenant.watched.measured_at
    return at is None or outside.clock.now() - at >= MEASURED_EVERY


def _rules(outside: Outside, tenants: Iterable[Tenant]) -> Mapping[str, TenancySpec]:
    """By app, of those whose berth.yaml is there and can be read."""
    found: dict[str, TenancySpec] = {}
    for tenant in tenants:
        record = outside.store.stack(tenant.stack)
        if record is None or tenant.stack.app in found:
            continue
        with contextlib.suppress(BerthmasterError):  # a deploy will say what is wrong with it
            tenancy = outside.specs.read(Path(record.folder)).tenancy
            if tenancy is not None:
                found[tenant.stack.app] = tenancy
    return found


async def _measure(
    outside: Outside, tenants: Iterable[Tenant], rules: Mapping[str, TenancySpec]
) -> dict[StackId, Watched]:
    """What each holds, where that has a limit; one that does not say is asked again later."""
    now, wanted = outside.clock.now(), list(tenants)
    limited = [item for item in wanted if _limit(item, rules.get(item.stack.app)) is not None]
    live = [
        release for item in limited if (release := live_release(outside, item.stack)) is not None
    ]
    disks = await disks_of(outside, live, await volume_sizes(outside)) if live else {}
    return {item.stack: Watched(now, disks.get(item.stack)) for item in wanted}


def _limit(tenant: Tenant, rule: TenancySpec | None) -> int | None:
    return rule.disk_limit(tenant.size) if rule else None


def _set(alerts: dict[AlertKind, str], kind: AlertKind, text: str | None) -> None:
    if text is None:
        alerts.pop(kind, None)
    else:
        alerts[kind] = text


def _expires(outside: Outside, tenant: Tenant) -> str | None:
    at = tenant.expires_at
    if at is None or at - outside.clock.now() > EXPIRES_WITHIN:
        return None
    return f"its time is over on {at:%Y-%m-%d}; it is suspended then"


def _over(tenant: Tenant, seen: Watched, rule: TenancySpec | None) -> str | None:
    most = _limit(tenant, rule)
    if most is None:
        return None
    if seen.disk_bytes is None:  # nobody said: what was known stays
        return tenant.watched.alerts.get(AlertKind.DISK)
    if seen.disk_bytes <= most:
        return None
    return f"it holds {_size(seen.disk_bytes)}, and may hold {_size(most)}"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


async def _note(outside: Outside, tenant: Tenant, seen: Watched) -> list[str]:
    """Record what changed; a line and a row of the audit trail for each alert that is new."""
    before = tenant.watched
    if seen == before:
        return []
    outside.store.set_watched(tenant.stack, seen)
    new = [text for kind, text in seen.alerts.items() if kind not in before.alerts]
    gone = [kind for kind in before.alerts if kind not in seen.alerts]
    for text in new:
        _record(outside, tenant, "tenant_alert_opened", text)
    for kind in gone:
        _record(outside, tenant, "tenant_alert_closed", kind.value)
    told = [f"{tenant.stack}: {text}" for text in new]
    problems = [await outside.notifier.tell(line) for line in told]
    return told + [f"nobody was told: {problem}" for problem in problems if problem]


def _record(outside: Outside, tenant: Tenant, what: str, detail: str) -> None:
    at, actor = outside.clock.now(), outside.actor
    outside.store.record(Event(at, actor, str(tenant.stack), what, detail))


async def _close(outside: Outside, tenant: Tenant, progress: Progress) -> list[str]:
    try:
        await suspend(outside, tenant.stack, progress)
    except (LeaseHeld, UserError):  # changed just now: the next look decides
        return []
    return [f"{tenant.stack}: it is suspended, as `over_disk` says; its data is kept"]
