"""The short form of `bench kill`: each kind of action of an update with a migration, three points.

Killed at an effect, mended by the next command, with somebody asking all the time.
"""

import pytest
from bench.kill import Migration, Victim, kill_once
from bench.kill_ledger import Kill
from tests.scenario.server import Server

from berthmaster.engine.failpoints import POINTS

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]

ACTIONS = (
    "CreateNetwork", "PlaceFiles", "StartServices", "AwaitReady", "TakeRestorePoint", "RunJob",
    "AttachRelease", "StopContainers", "Switch", "MarkLive", "Drain",
)  # fmt: skip


async def test_an_update_killed_anywhere_is_mended_by_the_next_command(server: Server) -> None:
    victim = Victim(server, "killed")
    scenario = Migration(victim)
    bad: list[Kill] = []
    try:
        await scenario.prepare()
        for number, action in enumerate(ACTIONS):
            for point in POINTS:
                kill = await kill_once(
                    scenario, Kill("migration", 0, point), f"{action}:{point}", number
                )
                assert kill is not None, f"{action}:{point} was not reached"
                bad += [] if kill.is_recovered else [kill]
    finally:
        await server.remove_app(victim.app.name)
    assert bad == []
