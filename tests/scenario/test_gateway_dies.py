"""Router and edge restarted and killed under load: they come back with their table."""

import pytest
from tests.scenario.commands import docker, end, start
from tests.scenario.dsl import App, MakeApp
from tests.scenario.server import until

pytestmark = pytest.mark.docker


async def live_second_release(app: MakeApp, environment: str) -> App:
    shop = app("web", environment)
    await shop.deploy("v1")
    await shop.deploy("v2")
    return shop


async def kill(container: str) -> None:
    """End its first process as a crash would: the engine starts it again."""
    pid = await docker("inspect", "--format", "{{.State.Pid}}", container)
    await end(await start("kill", "-9", pid))


async def answers_v2(shop: App) -> bool:
    try:
        return (await shop.ask()).version == "v2"
    except (OSError, ValueError, IndexError):
        return False


@pytest.mark.parametrize("part", ["router", "edge"])
@pytest.mark.parametrize("how", ["restart", "kill"])
async def test_the_gateway_comes_back_with_its_table(app: MakeApp, part: str, how: str) -> None:
    shop = await live_second_release(app, "prod")
    name = shop.server.router if part == "router" else shop.server.edge
    began = await shop.started(name)
    async with shop.watched() as seen:
        await (docker("restart", name) if how == "restart" else kill(name))
        await until(lambda: has_restarted(shop, name, began))
        await until(lambda: answers_v2(shop))
    assert seen.versions == ["v2"]
    print(f"{part} {how}: {len(seen.lost)} of {seen.count + len(seen.lost)} lost: {set(seen.lost)}")
    done = await shop.berth("gateway", "status", "--json")
    assert (done.code, done.json()["differences"]) == (0, []), done.said


async def has_restarted(shop: App, name: str, began: list[str]) -> bool:
    return await shop.started(name) != began


async def test_a_gateway_that_was_removed_is_rebuilt_from_the_store(app: MakeApp) -> None:
    shop = await live_second_release(app, "stage")
    await docker("rm", "--force", shop.server.router)
    folder = shop.server.state / "gateway/haproxy/maps"
    for file in folder.iterdir():
        file.write_text("")
    await shop.done("gateway", "up")
    assert await answers_v2(shop)


async def test_a_deploy_without_a_gateway_is_refused_before_anything_changes(app: MakeApp) -> None:
    shop = app("web", "stage")
    await shop.deploy("v1")
    before = await shop.world()
    await docker("stop", shop.server.router)
    try:
        done = await shop.deploy("v2", code=3)
    finally:
        await docker("start", shop.server.router)
        await until(lambda: is_up(shop))
    assert "berth gateway up" in done.err
    assert await shop.world() == before
    assert (await shop.ask()).version == "v1"


async def is_up(shop: App) -> bool:
    return (await shop.berth("gateway", "status")).code == 0
