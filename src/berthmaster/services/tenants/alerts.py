"""What a person must know of tenants now, and what to type next: for `status`, `health` and lists.

What a tenant holds and when its time is over is noted by `berth tick`; that a rollout failed there,
or that it is unwell, is read from what is known at this moment.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from berthmaster.domain.names import StackId
from berthmaster.domain.rollout import LineState, Rollout, RolloutLine, RolloutState
from berthmaster.domain.tenancy import AlertKind, Tenant, TenantState
from berthmaster.ports.outside import Outside

_TAKEN_BACK = (RolloutState.RETURNING, RolloutState.RETURNED, RolloutState.REPLACED)


@dataclass(frozen=True, slots=True)
class TenantAlert:
    """One thing that a person has to look after."""

    stack: StackId
    kind: AlertKind
    text: str
    next_command: str


def tenant_alerts(
    outside: Outside,
    tenants: Iterable[Tenant],
    tags: Mapping[StackId, str | None],
    unwell: Mapping[StackId, str],
) -> tuple[TenantAlert, ...]:
    """Those of tenants that are to serve, the worst kind first; `tags` are what they run."""
    serving = {item.stack: item for item in tenants if item.state is TenantState.ACTIVE}
    found = [
        TenantAlert(stack, AlertKind.HEALTH, text, f"berth health {stack}")
        for stack, text in unwell.items()
        if stack in serving
    ]
    found += _left_behind(outside, serving, tags)
    for tenant in serving.values():
        found += _watched(tenant)
    order = list(AlertKind)
    return tuple(sorted(found, key=lambda item: (order.index(item.kind), item.stack)))


def alerts_of_tenant(outside: Outside, stack: StackId) -> tuple[TenantAlert, ...]:
    """The same of one, without its health; nothing of a stack that is no tenant."""
    tenant = outside.store.tenant(stack) if stack.tenant else None
    if tenant is None:
        return ()
    tags = {item.stack: item.tag for item in outside.store.live_releases() if item.stack == stack}
    return tenant_alerts(outside, [tenant], tags, {})


def _watched(tenant: Tenant) -> Iterator[TenantAlert]:
    commands = {
        AlertKind.DISK: f"berth tenant show {tenant.stack}",
        AlertKind.EXPIRES: f"berth tenant set {tenant.stack} --expires 30d",
    }
    for kind, text in tenant.watched.alerts.items():
        yield TenantAlert(tenant.stack, kind, text, commands[kind])


def _left_behind(
    outside: Outside, serving: Mapping[StackId, Tenant], tags: Mapping[StackId, str | None]
) -> Iterator[TenantAlert]:
    for app, environment in sorted({(stack.app, stack.environment) for stack in serving}):
        rollout = outside.store.rollout(app, environment)
        if rollout is None or rollout.state in _TAKEN_BACK:
            continue
        for line in rollout.lines:
            tag = tags.get(line.stack)
            is_behind = line.state is LineState.FAILED and tag != rollout.tag
            if is_behind and line.stack in serving:
                yield _of_rollout(rollout, line, tag)


def _of_rollout(rollout: Rollout, line: RolloutLine, tag: str | None) -> TenantAlert:
    text = f"the rollout to {rollout.tag} failed here, {tag or 'the old release'} serves"
    command = f"berth rollout show {rollout.app}@{rollout.environment}"
    return TenantAlert(line.stack, AlertKind.ROLLOUT, f"{text}: {line.note}", command)
