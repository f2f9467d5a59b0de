"""StatusWatch's worker and scheduler while releases change, in short; the long form is
`scripts/bench work`.
"""

import pytest
from bench.work import Size, run_berth
from bench.work_stack import GOOD, build_images, remove_images
from bench.work_verdict import report_on
from tests.scenario.server import Server

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]
SIZE = Size(300, 2, ("error_500",), watch_seconds=2, ready_seconds=240)


async def test_each_task_is_done_once_while_releases_come_and_one_is_turned_back(
    server: Server,
) -> None:
    tags = (*GOOD, *SIZE.broken)
    try:
        await build_images(server, tags)
        seen = await run_berth(server, SIZE)
    finally:
        await remove_images(server, tags)
    zeros = [budget for budget in report_on(seen, None).budgets if not budget.is_floor]
    assert [budget.text() for budget in zeros if not budget.is_met] == []
    assert len(zeros) == 12
    assert len(seen.queued.tasks) >= SIZE.tasks
    assert set(seen.times().values()) == {1}
    assert dict.fromkeys(seen.queued.tasks, 1) == dict(seen.results)
    assert seen.by_turned_back() == []
    assert seen.watch.ticks
