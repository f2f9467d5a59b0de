"""Several containers of one service: all of them work, and one may go away."""

import pytest
from tests.scenario.commands import docker
from tests.scenario.dsl import App, MakeApp
from tests.scenario.server import until

pytestmark = pytest.mark.docker


async def replicated(app: MakeApp) -> App:
    shop = app("web", "stage").edit(
        "berth.yaml", "entrypoint: plain}", "entrypoint: plain, replicas: {web: 3}}"
    )
    await shop.deploy("v1")
    return shop


async def names_that_answer(shop: App) -> set[str]:
    return {(await shop.ask()).headers["x-name"] for _ in range(12)}


async def test_all_replicas_take_requests_and_one_may_be_stopped(app: MakeApp) -> None:
    shop = await replicated(app)
    containers = await shop.containers()
    assert len(containers) == 3
    assert len(await names_that_answer(shop)) == 3
    async with shop.load() as tally, shop.watched() as seen:
        await docker("stop", containers[0])
        assert len(await names_that_answer(shop)) == 2
    assert (tally.lost, seen.lost) == (0, []), tally.summary()


async def test_a_killed_replica_costs_no_more_than_what_it_had_in_hand(app: MakeApp) -> None:
    shop = await replicated(app)
    containers = await shop.containers()
    async with shop.load() as tally:
        await docker("kill", containers[0])
        assert len(await names_that_answer(shop)) == 2
    assert tally.lost <= 8, tally.summary()  # one for each client of the load


async def test_a_replica_that_was_stopped_comes_back(app: MakeApp) -> None:
    shop = await replicated(app)
    first = (await shop.containers())[0]
    await docker("stop", first)
    await docker("start", first)

    async def all_answer() -> bool:
        return len(await names_that_answer(shop)) == 3

    await until(all_answer)


async def test_replicas_change_over_together(app: MakeApp) -> None:
    shop = await replicated(app)
    async with shop.load() as tally, shop.watched() as seen:
        await shop.deploy("v2")
    assert (seen.versions, seen.lost) == (["v1", "v2"], [])
    assert tally.lost == 0, tally.summary()
    assert len(await names_that_answer(shop)) == 3
