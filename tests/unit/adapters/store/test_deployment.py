"""Deployments: one unfinished per stack, moved on only by who holds the lease."""

import pytest
from hypothesis import HealthCheck, given, settings
from tests.unit.adapters.store.support import ANY_PLAN, SHOP, SetClock, make_store, plan

from berthmaster.adapters.store import SqliteStore
from berthmaster.domain.deployment import TERMINAL, Deployment, DeploymentState, StepState
from berthmaster.domain.errors import Bug, LeaseLost, NotAllowed, NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan

S = DeploymentState
OTHER = StackId("shop", "stage")


def fence_of(store: SqliteStore, stack: StackId = SHOP) -> int:
    return store.acquire_lease(str(stack), holder="ann", seconds=60).fence


def begin(store: SqliteStore, fence: int, stack: StackId = SHOP) -> Deployment:
    return store.open_deployment(
        stack, verb="deploy", plan=plan(stack), release=7, actor="ann@web1", fence=fence
    )


def finish(store: SqliteStore, deployment: Deployment, fence: int) -> None:
    for old, new in ((S.PLANNED, S.APPLYING), (S.APPLYING, S.RETIRING), (S.RETIRING, S.SUCCEEDED)):
        store.change_state(deployment.id, old, new, fence=fence)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(ANY_PLAN)
def test_any_plan_reads_back_as_it_was_written(any_plan: Plan) -> None:
    store = make_store(":memory:")
    made = store.open_deployment(
        SHOP, verb="deploy", plan=any_plan, release=None, actor="ann", fence=fence_of(store)
    )
    assert store.deployment(made.id) == made
    assert made.plan == any_plan
    store.close()


def test_a_second_unfinished_deployment_of_a_stack_is_refused(store: SqliteStore) -> None:
    fence = fence_of(store)
    first = begin(store, fence)
    with pytest.raises(NotAllowed, match=r"shop@prod: d1 \(deploy\) has not ended, it is planned"):
        begin(store, fence)
    begin(store, fence_of(store, OTHER), OTHER)
    finish(store, first, fence)
    assert begin(store, fence).label == "d3"


def test_a_stuck_deployment_is_unfinished(store: SqliteStore) -> None:
    fence = fence_of(store)
    made = begin(store, fence)
    for old, new in ((S.PLANNED, S.APPLYING), (S.APPLYING, S.RETIRING), (S.RETIRING, S.STUCK)):
        store.change_state(made.id, old, new, fence=fence, error="an undo failed")
    assert [one.state for one in store.unfinished()] == [S.STUCK]
    with pytest.raises(NotAllowed, match="stuck"):
        begin(store, fence)


def test_a_change_is_refused_with_a_stale_fence_and_changes_nothing(
    store: SqliteStore, clock: SetClock
) -> None:
    stale = fence_of(store)
    made = begin(store, stale)
    clock.pass_by(3600)
    store.acquire_lease(str(SHOP), holder="bob@web2", seconds=60)
    with pytest.raises(LeaseLost, match="bob@web2"):
        store.change_state(made.id, S.PLANNED, S.APPLYING, fence=stale)
    with pytest.raises(LeaseLost, match="bob@web2"):
        store.write_journal(made.id, 1, StepState.STARTED, fence=stale)
    assert store.deployment(made.id) == made
    assert store.journal(made.id) == ()


def test_a_lease_that_was_given_back_guards_no_more(store: SqliteStore) -> None:
    lease = store.acquire_lease(str(SHOP), holder="ann", seconds=60)
    store.release_lease(lease)
    with pytest.raises(LeaseLost, match="nobody holds it"):
        begin(store, lease.fence)


def test_a_change_from_a_state_it_has_left_is_refused(store: SqliteStore) -> None:
    fence = fence_of(store)
    made = begin(store, fence)
    store.change_state(made.id, S.PLANNED, S.APPLYING, fence=fence)
    with pytest.raises(LeaseLost, match="d1 is applying by now"):
        store.change_state(made.id, S.PLANNED, S.APPLYING, fence=fence)
    with pytest.raises(Bug, match="cannot go from applying to succeeded"):
        store.change_state(made.id, S.APPLYING, S.SUCCEEDED, fence=fence)


def test_an_unknown_deployment_is_not_found(store: SqliteStore) -> None:
    with pytest.raises(NotFound, match="no deployment d99"):
        store.write_journal(99, 1, StepState.STARTED, fence=fence_of(store))


def test_ending_notes_when_and_keeps_the_report(store: SqliteStore, clock: SetClock) -> None:
    fence = fence_of(store)
    made = begin(store, fence)
    store.change_state(made.id, S.PLANNED, S.APPLYING, fence=fence)
    store.change_state(made.id, S.APPLYING, S.UNWINDING, fence=fence, error="r7 never answered")
    clock.pass_by(5)
    store.change_state(made.id, S.UNWINDING, S.UNWOUND, fence=fence)
    ended = store.deployment(made.id)
    assert ended is not None
    assert (ended.error, ended.ended_at) == ("r7 never answered", clock.now())


def test_the_journal_reads_back_in_the_order_it_was_written(store: SqliteStore) -> None:
    fence = fence_of(store)
    made = begin(store, fence)
    store.write_journal(made.id, 2, StepState.STARTED, fence=fence)
    store.write_journal(made.id, 1, StepState.FAILED, fence=fence, detail="exit 1")
    rows = [(row.step, row.state, row.detail) for row in store.journal(made.id)]
    assert rows == [(2, StepState.STARTED, ""), (1, StepState.FAILED, "exit 1")]


def test_deployments_come_newest_first_up_to_a_limit(store: SqliteStore) -> None:
    fence = fence_of(store)
    for _ in range(3):
        finish(store, begin(store, fence), fence)
    begin(store, fence_of(store, OTHER), OTHER)
    assert [one.id for one in store.deployments(SHOP, limit=2)] == [3, 2]
    assert [one.id for one in store.deployments(None)] == [4, 3, 2, 1]


def test_the_schema_counts_the_same_states_as_ended_as_the_domain(store: SqliteStore) -> None:
    row = store._database.row_or_none(
        "SELECT sql FROM sqlite_schema WHERE name = 'one_unfinished_deployment_per_stack'"
    )
    assert row is not None
    assert {state for state in DeploymentState if f"'{state}'" in row["sql"]} == TERMINAL
