"""Going back: a switch while the old release is warm, its record when it is not."""

import pytest
from tests.scenario.commands import docker
from tests.scenario.dsl import App, MakeApp
from tests.scenario.server import Server, until

pytestmark = pytest.mark.docker


@pytest.mark.requirement("R8", "R263")
async def test_a_warm_rollback_is_a_switch(app: MakeApp) -> None:
    shop = app("web")
    await shop.deploy("v1")
    await shop.deploy("v2")
    names = [f"{shop.project}-r{number}-web-1" for number in (1, 2)]
    before = await shop.started(*names)
    async with shop.load() as tally, shop.watched() as seen:
        done = await shop.done("rollback", shop.stack)
    assert "r1 is live" in done.out
    assert await shop.started(*names) == before
    assert tally.lost == 0, tally.summary()
    assert (seen.versions, seen.lost) == (["v2", "v1"], [])


@pytest.mark.requirement("R372")
async def test_a_cold_rollback_brings_back_code_and_configuration(
    app: MakeApp, server: Server
) -> None:
    shop = app("web").edit("berth.yaml", "warm: 10m", "warm: 0s")
    await shop.give(GREETING="yesterday $HOME $$").deploy("v1")
    await shop.give(GREETING="today").deploy("v2")
    await retire(shop, 1)
    assert (await shop.ask("/greeting")).text == "today"
    await docker("stop", "--time", "1", server.registry)
    try:
        async with shop.watched() as seen:
            await shop.done("rollback", shop.stack)
    finally:
        await docker("start", server.registry)
    assert (seen.versions, seen.lost) == (["v2", "v1"], [])
    assert (await shop.ask("/greeting")).text == "yesterday $HOME $$"


async def retire(shop: App, release: int) -> None:
    """Let `berth tick` end a release whose warm time is over."""

    async def is_gone() -> bool:
        await shop.done("tick")
        return not await shop.containers(release, every=True)

    await until(is_gone)


async def test_a_release_can_be_named(app: MakeApp) -> None:
    shop = app("web", "stage")
    for tag in ("v1", "v2", "v3"):
        await shop.deploy(tag)
    await shop.done("rollback", shop.stack, "--to", "r1")
    assert (await shop.ask()).version == "v1"
    done = await shop.done("releases", shop.stack, "--json")
    states = {item["release"]: item["state"] for item in done.json()["releases"]}
    assert states == {1: "live", 2: "retired", 3: "warm"}


async def test_there_is_nothing_to_go_back_to(app: MakeApp) -> None:
    shop = app("web")
    await shop.deploy("v1")
    done = await shop.berth("rollback", shop.stack)
    assert (done.code, "no older release" in done.err) == (2, True), done.err
    assert (await shop.ask()).version == "v1"
