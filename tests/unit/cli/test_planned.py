"""A plan on a terminal that is narrower than its lines."""

from pathlib import Path

import pytest

from berthmaster.cli.planned import fold

PLANS = Path(__file__).parents[2] / "golden/plans"
PLAN = (PLANS / "update.txt").read_text()


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.txt")), ids=lambda path: path.stem)
def test_a_folded_plan_fits_and_says_the_same(path: Path) -> None:
    plan = path.read_text()
    folded = fold(plan, 100)
    wide = [line for line in folded.splitlines() if len(line) > 100]
    assert all(len(line.split()) == 1 for line in wide)  # a name that nothing can break
    assert folded.replace("undo: -", "").split() == plan.replace("undo: -", "").split()


def test_a_plan_that_fits_stays_as_it_is() -> None:
    assert fold(PLAN, 1000) == PLAN


def test_a_step_keeps_its_columns_and_has_its_cause_below() -> None:
    lines = fold(PLAN, 100).splitlines()
    place = next(index for index, line in enumerate(lines) if " switch r" in line)
    assert lines[place].startswith("  #")
    assert lines[place + 1].startswith("       the new release is good  undo: switch")
