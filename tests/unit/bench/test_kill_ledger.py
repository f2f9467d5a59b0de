"""The table of `bench kill` is put together from parts of a run, and says what is missing."""

from pathlib import Path

from bench.kill_ledger import Kill, Ledger, report_on

from berthmaster.engine.failpoints import POINTS


def kill(step: int, point: str = "before", **more: object) -> Kill:
    return Kill("update", step, point, **{"steps": 2, **more})  # type: ignore[arg-type]


def whole() -> list[Kill]:
    return [kill(step, point) for step in (1, 2) for point in POINTS]


def rows(kills: list[Kill]) -> dict[str, object]:
    report = report_on(kills)
    return dict(zip(report.columns, report.rows[0], strict=True))


def test_a_scenario_is_whole_when_each_step_was_killed_at_three_points() -> None:
    assert rows(whole())["whole"] == "yes"
    assert rows(whole()[1:])["whole"] == "no: 5 of 6"


def test_a_place_that_was_not_reached_counts_as_tried_and_not_as_killed() -> None:
    found = rows([*whole()[1:], kill(1, is_hit=False)])
    assert (found["whole"], found["kills"], found["recovered"]) == ("yes", 5, 5)


def test_a_later_kill_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    ledger = Ledger("kill", tmp_path)
    ledger.add(kill(1, faults=["lease"]))
    ledger.add(kill(2))
    assert list(ledger.settled()) == [("update", 2, "before")]
    ledger.add(kill(1))
    ledger.tidy()
    assert [item.faults for item in ledger.read().values()] == [[], []]
    assert len(ledger.path.read_text().splitlines()) == 2


def test_a_kill_that_was_not_recovered_is_told_and_misses_the_budget() -> None:
    report = report_on([*whole(), kill(1, "during", faults=["d7 is stuck"])])
    assert not report.is_good
    assert any("d7 is stuck" in note for note in report.notes)
