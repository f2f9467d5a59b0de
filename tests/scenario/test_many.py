"""Many stacks on one server, side by side; the long form is `scripts/bench stacks`."""

import pytest
from bench.report import Report
from bench.stacks import COLUMNS, die, live, make_apps
from bench.stacks import Server as Measured
from tests.scenario.server import Server

COUNT = 8

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


async def test_many_stacks_live_through_a_restart_of_the_gateway_and_leave_nothing(
    server: Server,
) -> None:
    measured = Measured(server, Report("many", "a few of many", COLUMNS), rounds=1)
    measured.apps = make_apps(server, COUNT)
    try:
        await live(measured)
        await die(measured)
    finally:
        for app in measured.apps:
            await server.remove_app(app.name)
    found = {budget.name: budget.measured for budget in measured.report.budgets}
    assert found["stacks that answer"] == COUNT
    assert found["things left behind"] == 0, measured.report.notes
