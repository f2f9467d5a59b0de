"""The table of transitions has no dead end but the terminal states, and codec reads back what it
wrote.
"""

import pytest
from tests.builders import observed, release

from berthmaster.domain import codec
from berthmaster.domain.deployment import TERMINAL, TRANSITIONS, DeploymentState, check_transition
from berthmaster.domain.errors import Bug
from berthmaster.domain.plan import Plan
from berthmaster.domain.release import Release
from berthmaster.planner.deploy import plan_deploy


@pytest.mark.parametrize("state", list(DeploymentState))
def test_only_terminal_states_have_no_way_out(state: DeploymentState) -> None:
    has_way_out = any(old is state for old, _ in TRANSITIONS)
    assert has_way_out is (state not in TERMINAL)


def test_a_change_outside_the_table_is_a_bug() -> None:
    with pytest.raises(Bug):
        check_transition(DeploymentState.SUCCEEDED, DeploymentState.UNWINDING)


def test_a_plan_reads_back_from_the_store_as_it_was() -> None:
    plan = plan_deploy(release(7), observed(release(6)), slots=(1,))
    assert codec.decode(Plan, codec.encode(plan)) == plan


def test_a_release_reads_back_from_the_store_as_it_was() -> None:
    value = release(7, sealed=b"\x00\xff")
    assert codec.decode(Release, codec.encode(value)) == value
