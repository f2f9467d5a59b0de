"""The names that a restore makes, and what it starts."""

from tests.builders import observed, release

from berthmaster.domain.plan import StartServices
from berthmaster.planner.putback import NAME_BYTES, Restore, is_kept
from berthmaster.planner.restoring import plan_bring_back

RESTORE = Restore("before-r7", "shop-prod-db-1", ("shop",), "20261121_041200")


def test_a_kept_database_says_until_when_it_was_used() -> None:
    assert RESTORE.kept("shop") == "shop_until_20261121_041200"
    assert is_kept(RESTORE.kept("shop"))
    assert not is_kept("shop_until_then")


def test_long_names_fit_and_stay_apart() -> None:
    long = ["\u00fc" * 31 + end for end in "ab"]
    names = [RESTORE.fresh(name) for name in long]
    assert all(len(name.encode()) <= NAME_BYTES for name in names)
    assert len(set(names)) == 2


def test_what_is_closed_gets_nothing_that_works_by_itself() -> None:
    def started(*, is_closed: bool) -> set[str]:
        plan = plan_bring_back(release(1), observed(), (), slots=(1,), is_closed=is_closed)
        actions = (step.action for step in plan.steps)
        return {key for one in actions if isinstance(one, StartServices) for key in one.services}

    assert {"worker-r1-1", "beat-r1-1"} <= started(is_closed=False)
    assert started(is_closed=True) == {"web-r1-1", "web-r1-2"}
