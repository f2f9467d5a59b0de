"""In which order tenants get a new tag: canaries first, then waves of a size."""

from collections.abc import Collection, Iterable, Sequence

from berthmaster.domain.names import StackId
from berthmaster.domain.rollout import LineState, RolloutLine
from berthmaster.domain.tenancy import Tenant, TenantState

CANARY = "canary"  # the label of tenants that go first


def plan_lines(
    tenants: Iterable[Tenant],
    live: Collection[StackId],
    *,
    canaries: Collection[str] = (),
    wave_size: int = 10,
) -> tuple[RolloutLine, ...]:
    """A line for each tenant that is there: who goes in which wave, and who is left out and why.

    Canaries are those named, else those with the label `canary`, else the first one.
    """
    there = [item for item in tenants if item.state is not TenantState.REMOVED]
    left_out = {
        item.stack: why for item in there if (why := why_left_out(item, item.stack in live))
    }
    going = [item for item in there if item.stack not in left_out]
    first = _canaries(going, canaries)
    rest = [item.stack for item in going if item.stack not in first]
    lines = [RolloutLine(stack, 0) for stack in first]
    lines += [RolloutLine(stack, 1 + place // wave_size) for place, stack in enumerate(rest)]
    lines += [RolloutLine(stack, 0, LineState.SKIPPED, note=why) for stack, why in left_out.items()]
    return tuple(sorted(lines, key=lambda line: (line.wave, line.stack)))


def why_left_out(tenant: Tenant | None, is_live: bool) -> str:
    """Why a rollout leaves a tenant as it is; empty for one that goes along."""
    if tenant is None or tenant.state is TenantState.REMOVED:
        return "removed"
    if tenant.pinned is not None:
        return f"pinned: {tenant.pinned}"
    if tenant.state is not TenantState.ACTIVE:
        return tenant.state.value
    return "" if is_live else "runs no release yet"


def waves_of(lines: Sequence[RolloutLine]) -> tuple[tuple[RolloutLine, ...], ...]:
    """The lines wave by wave."""
    numbers = sorted({line.wave for line in lines})
    return tuple(tuple(line for line in lines if line.wave == number) for number in numbers)


def _canaries(going: Sequence[Tenant], named: Collection[str]) -> tuple[StackId, ...]:
    if named:
        return tuple(item.stack for item in going if item.slug in named)
    labelled = tuple(item.stack for item in going if CANARY in item.labels)
    return labelled or tuple(item.stack for item in going[:1])
