"""The order of a rollout: canaries, waves of a size, and who is left out."""

from hypothesis import given
from hypothesis import strategies as st

from berthmaster.domain.names import StackId
from berthmaster.domain.rollout import LineState
from berthmaster.domain.tenancy import Tenant, TenantState
from berthmaster.planner.rolling import plan_lines, waves_of


def stack(name: str) -> StackId:
    return StackId("shop", "prod", name)


def names(lines: object) -> list[list[str | None]]:
    return [
        [line.stack.tenant for line in wave if line.state is LineState.PENDING]
        for wave in waves_of(lines)  # type: ignore[arg-type]
    ]


def test_the_first_one_is_the_canary_unless_somebody_is() -> None:
    tenants = [Tenant(stack(name)) for name in ("a", "b", "c")]
    live = {item.stack for item in tenants}
    assert names(plan_lines(tenants, live, wave_size=1)) == [["a"], ["b"], ["c"]]
    assert names(plan_lines(tenants, live, canaries=["c"], wave_size=5)) == [["c"], ["a", "b"]]
    tenants[1] = Tenant(stack("b"), labels={"canary": "yes"})
    assert names(plan_lines(tenants, live, wave_size=5)) == [["b"], ["a", "c"]]


def test_whoever_cannot_go_is_left_out_with_a_reason() -> None:
    tenants = [
        Tenant(stack("gone"), TenantState.REMOVED),
        Tenant(stack("new")),
        Tenant(stack("pinned"), pinned="a contract"),
        Tenant(stack("closed"), TenantState.SUSPENDED),
        Tenant(stack("there")),
    ]
    live = {stack("pinned"), stack("closed"), stack("there"), stack("gone")}
    lines = plan_lines(tenants, live)
    assert {line.stack.tenant: line.note for line in lines} == {
        "new": "runs no release yet",
        "pinned": "pinned: a contract",
        "closed": "suspended",
        "there": "",
    }


@given(count=st.integers(1, 60), size=st.integers(1, 20))
def test_everybody_goes_once_and_no_wave_is_too_large(count: int, size: int) -> None:
    tenants = [Tenant(stack(f"t{number}")) for number in range(count)]
    lines = plan_lines(tenants, {item.stack for item in tenants}, wave_size=size)
    assert sorted(line.stack for line in lines) == sorted(item.stack for item in tenants)
    assert all(len(wave) <= size for wave in waves_of(lines))
