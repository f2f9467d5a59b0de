"""Many commands at once: one changes a stack, others theirs, and who was away writes nothing.

Nothing here depends on how fast something is: the deploy that others meet waits to be let go.
"""

import asyncio
import contextlib
import signal
import sqlite3
from collections import Counter

import pytest
from tests.scenario.commands import Ended, end, is_stopped
from tests.scenario.dsl import App, MakeApp
from tests.scenario.server import Server, until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

AT_ONCE = 10
STACKS = 6


def patient(shop: App) -> App:
    """Where many start at once, a machine that is busy is no bad release."""
    return shop.edit("berth.yaml", "ready: 5s", "ready: 100s")


async def test_of_ten_deploys_at_once_one_runs_and_nine_are_refused(app: MakeApp) -> None:
    shop = app("web", "stage")
    await shop.deploy("v1")
    shop.held()
    async with shop.watched() as seen:
        tags = [f"v{2 + number % 2}" for number in range(AT_ONCE)]
        begun = [await shop.start("deploy", shop.stack, "--tag", tag) for tag in tags]
        running = {asyncio.create_task(end(process)) for process in begun}
        refused: list[Ended] = []
        while len(running) > 1:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            refused += [task.result() for task in done]
        await shop.let_go(2)
        (winner,) = [await task for task in running]
    assert winner.code == 0, winner.said
    assert [done.code for done in refused] == [4] * (AT_ONCE - 1), [done.said for done in refused]
    assert all("is being changed by" in done.err for done in refused)
    assert (len(seen.versions), seen.lost) == (2, [])
    assert shop.deployment_states() == ["succeeded", "succeeded"]
    assert shop.lease_holder() is None


async def test_many_stacks_at_once_converge(app: MakeApp, server: Server) -> None:
    shops = [patient(app("web", "stage")) for _ in range(STACKS)]
    await asyncio.gather(*(shop.deploy("v1") for shop in shops))
    assert [(await shop.ask()).version for shop in shops] == ["v1"] * STACKS
    done = await server.berth("deploy", "--all", "--tag", "v2", "--json")
    assert done.code == 0, done.said
    mine = {shop.stack for shop in shops}
    assert mine <= set(done.json()["deployed"])
    assert [(await shop.ask()).version for shop in shops] == ["v2"] * STACKS
    assert [shop.deployment_states() for shop in shops] == [["succeeded"] * 2] * STACKS
    await agrees(server)


async def test_different_commands_on_one_gateway_do_not_meet(app: MakeApp, server: Server) -> None:
    updated, returned, paused, ended = (patient(app("web", "stage")) for _ in range(4))
    await asyncio.gather(*(shop.deploy("v1") for shop in (updated, returned, paused, ended)))
    await returned.deploy("v2")
    async with updated.watched() as seen:
        await asyncio.gather(
            updated.deploy("v2"),
            returned.done("rollback", returned.stack),
            paused.done("maintenance", "on", paused.stack),
            ended.done("destroy", ended.stack, "--confirm", ended.stack),
            server.berth("gateway", "up"),
            server.berth("tick"),
        )
    assert (seen.versions, seen.lost) == (["v1", "v2"], [])
    assert (await returned.ask()).version == "v1"
    assert ((await paused.ask()).status, (await ended.ask()).status) == (503, 421)
    await agrees(server)


async def agrees(server: Server) -> None:
    """The router holds what the store says, and nobody holds a lease."""
    status = await server.berth("gateway", "status", "--json")
    assert (status.code, status.json()["differences"]) == (0, []), status.said
    assert server.rows("SELECT name FROM leases WHERE holder IS NOT NULL") == []


@pytest.mark.parametrize("place", ["StartServices:before", "Switch:before", "MarkLive:before"])
async def test_who_was_away_for_longer_than_its_lease_writes_nothing(
    app: MakeApp, place: str
) -> None:
    """Frozen before an effect, woken after another command has taken over and deployed."""
    shop = app("web", "stage")
    await shop.deploy("v1")
    away = await shop.start(
        *("deploy", shop.stack, "--tag", "v2"), env={"BERTHMASTER_FAILPOINT": f"{place}@stop"}
    )
    await until(lambda: is_stopped(away.pid), seconds=100)
    expire_lease(shop)
    await shop.done("tick")
    await shop.deploy("v3")
    before, containers = await shop.world(), await shop.containers(every=True)
    async with shop.watched() as seen:
        away.send_signal(signal.SIGCONT)
        done = await end(away)
    assert done.code == 4, done.said
    assert "the lease is no longer ours" in done.err or "is stale" in done.err
    assert (seen.versions, seen.lost) == (["v3"], [])
    assert (await shop.world(), await shop.containers(every=True)) == (before, containers)
    assert Counter(shop.deployment_states())["succeeded"] >= 2
    await agrees(shop.server)


def expire_lease(shop: App) -> None:
    """Let its time be over, as it would be after 65 seconds."""
    path = shop.server.state / "store.db"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        changed = connection.execute(
            "UPDATE leases SET expires_monotonic = 0 WHERE name = ?", (shop.stack,)
        )
        assert changed.rowcount == 1
