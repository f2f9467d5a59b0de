"""The order of D7, asserted on the actions of a plan."""

from hypothesis import given
from hypothesis import strategies as st
from tests.builders import observed, release, service

from berthmaster.domain.plan import (
    AwaitReady,
    ClaimHosts,
    MarkLive,
    Plan,
    RemoveContainers,
    RunJob,
    StartServices,
    StopContainers,
    Switch,
    TakeRestorePoint,
    Watch,
)
from berthmaster.domain.release import ReleaseRoute, Upstream
from berthmaster.domain.spec import Role
from berthmaster.planner.deploy import describe_routes, plan_deploy
from berthmaster.planner.validate import check_plan


def position(plan: Plan, wanted: type, nth: int = 0) -> int:
    return [step.number for step in plan.steps if isinstance(step.action, wanted)][nth]


def update() -> Plan:
    return plan_deploy(release(7), observed(release(6)), slots=(1,))


def test_the_switch_comes_after_the_gate_and_before_the_watch() -> None:
    plan = update()
    assert position(plan, AwaitReady) < position(plan, Switch) < position(plan, Watch)
    assert position(plan, Watch) < position(plan, MarkLive)


def test_a_migration_runs_behind_a_restore_point_and_before_new_code_starts() -> None:
    plan = update()
    assert position(plan, TakeRestorePoint) < position(plan, RunJob) < position(plan, StartServices)


def test_a_first_deploy_takes_no_restore_point() -> None:
    plan = plan_deploy(release(1), observed(), slots=(1,))
    assert not any(isinstance(step.action, TakeRestorePoint) for step in plan.steps)


def test_old_consumers_stop_before_new_ones_start() -> None:
    plan = update()
    stops = [step for step in plan.steps if isinstance(step.action, StopContainers)]
    assert [step.subject for step in stops] == ["beat r6", "worker r6"]
    worker = next(step for step in plan.steps if step.subject == "worker r7")
    assert stops[-1].number < worker.number < position(plan, Switch)


def test_the_new_scheduler_starts_only_after_the_switch() -> None:
    plan = update()
    beat = next(step for step in plan.steps if step.subject == "beat r7")
    assert beat.number > position(plan, Switch)


def test_nothing_of_the_live_release_is_removed_before_the_point_of_no_return() -> None:
    for step in update().steps:
        if isinstance(step.action, RemoveContainers):
            assert step.is_forward_only


def test_hosts_that_the_stack_has_already_are_not_claimed_again() -> None:
    plan = plan_deploy(
        release(7, hosts=("shop.test", "new.test")), observed(release(6)), slots=(1,)
    )
    claimed = [step.action for step in plan.steps if isinstance(step.action, ClaimHosts)]
    assert [claim.host for action in claimed for claim in action.claims] == ["new.test"]


def test_the_plan_shows_the_host_that_each_route_answers_and_no_other() -> None:
    routes = (
        ReleaseRoute("/", None, site="frontend", hosts=("shop.test",)),
        ReleaseRoute("/", "api", (Upstream("x", "10.201.7.2", 8000),), hosts=("api.shop.test",)),
        ReleaseRoute("/health", None, site="status"),
    )
    hosts = ("shop.test", "*.shop.test")
    assert describe_routes(release(7, routes=routes, hosts=hosts)) == [
        "https: shop.test/ -> site frontend",
        "https: *.shop.test/health -> site status",
        "https: api.shop.test/ -> api:8000",
    ]


def test_services_start_after_those_they_depend_on() -> None:
    services = (
        service("api", Role.ROUTED),
        service("web", Role.ROUTED, after=("api",)),
    )
    plan = plan_deploy(release(7, services=services, jobs=()), observed(), slots=(1,))
    starts = [step.subject for step in plan.steps if isinstance(step.action, StartServices)]
    assert starts == ["api r7", "web r7"]


@given(st.sets(st.sampled_from(sorted(observed(release(6)).containers))))
def test_every_plan_is_valid_whatever_of_the_old_release_still_exists(gone: set[str]) -> None:
    world = observed(release(6))
    left = world.containers - gone
    check_plan(
        plan_deploy(release(7), observed(release(6), containers=left, running=left), slots=(1,))
    )
