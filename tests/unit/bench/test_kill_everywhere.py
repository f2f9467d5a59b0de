"""Which places `bench kill` visits, in which order, and that a run can be taken up again."""

from pathlib import Path
from typing import Any, cast

import pytest
from bench import kill as bench
from bench.kill_ledger import Kill, Ledger

STEPS = 4


class Prepared:
    async def prepare(self) -> None:
        pass


@pytest.fixture
def visited(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    places: list[str] = []

    async def kill_once(_: object, kill: Kill, failpoint: str, __: int) -> Kill | None:
        places.append(failpoint)
        kill.steps = STEPS
        return kill if kill.step <= STEPS else None

    monkeypatch.setattr(bench, "kill_once", kill_once)
    return places


async def run(limits: bench.Limits) -> bench.Killed:
    killed = bench.Killed("update")
    await bench.kill_everywhere(cast(Any, Prepared()), killed, limits)
    return killed


async def test_each_step_is_killed_once_before_any_is_killed_again(visited: list[str]) -> None:
    await run(bench.Limits())
    assert len(set(visited)) == 3 * STEPS == len(visited)
    for turn in range(3):
        steps = [place.partition(":")[0] for place in visited[STEPS * turn : STEPS * (turn + 1)]]
        assert steps == ["1", "2", "3", "4"]


@pytest.mark.parametrize("done", [1, 3, 6, 11])
async def test_a_run_that_is_taken_up_again_visits_what_is_left(
    visited: list[str], tmp_path: Path, done: int
) -> None:
    ledger = Ledger("kill", tmp_path)
    whole = await run(bench.Limits())
    for kill in whole.kills[:done]:
        ledger.add(kill)
    visited.clear()
    rest = await run(bench.Limits(settled=ledger.settled(), ledger=ledger))
    assert len(rest.kills) == 3 * STEPS - done
    assert len(ledger.settled()) == 3 * STEPS
