"""Stacks beside each other: by name, by address, by deploy; and from the host."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.scenario.commands import docker, end, start
from tests.scenario.dsl import App, MakeApp
from tests.scenario.server import Server, until

pytestmark = pytest.mark.docker


def web_of(shop: App, release: int = 1) -> str:
    return f"{shop.project}-r{release}-web-1"


async def address_of(container: str, network: str) -> str:
    query = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
    return await docker("inspect", "--format", query, container)


async def can_reach(container: str, address: str, port: int) -> bool:
    code = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)"
    ended = await end(
        await start("docker", "exec", container, "python", "-c", code, address, str(port))
    )
    return ended.code == 0


async def resolves(container: str, name: str) -> set[str]:
    ended = await end(await start("docker", "exec", container, "getent", "ahostsv4", name))
    return {line.split()[0] for line in ended.out.splitlines()}


@pytest.mark.requirement("R313", "R325")
async def test_stacks_side_by_side_do_not_meet(app: MakeApp) -> None:
    prod, other = app("web"), app("workers")
    stage = prod.in_environment("stage")
    await asyncio.gather(prod.deploy("v1"), stage.deploy("v2"), other.deploy("v3"))
    assert [(await one.ask()).version for one in (prod, stage, other)] == ["v1", "v2", "v3"]
    for one in (prod, stage, other):
        own = await address_of(web_of(one), f"{one.project}-r1-net")
        assert await resolves(web_of(one), "web") == {own}
    assert await resolves(web_of(prod), "redis") == set()
    assert await resolves(web_of(other), "redis") != set()
    foreign = await address_of(web_of(other), f"{other.project}-r1-net")
    assert await can_reach(web_of(other), foreign, 8000)
    assert not await can_reach(web_of(prod), foreign, 8000)


async def test_a_deploy_touches_its_own_stack_only(app: MakeApp) -> None:
    prod = app("web")
    stage = prod.in_environment("stage")
    await asyncio.gather(prod.deploy("v1"), stage.deploy("v1"))
    before = await stage.started(web_of(stage))
    async with stage.watched() as seen:
        await prod.deploy("v2")
        await prod.done("destroy", prod.stack, "--confirm", prod.stack)
    assert (seen.versions, seen.lost) == (["v1"], [])
    assert await stage.started(web_of(stage)) == before


async def image_of(container: str) -> str:
    return await docker("inspect", "--format", "{{.Config.Image}}", container)


async def is_there(image: str) -> bool:
    return (await end(await start("docker", "image", "inspect", image))).code == 0


async def test_what_one_stack_forgets_is_kept_for_another(app: MakeApp) -> None:
    prod = app("web")
    prod.edit("berth.yaml", "retention: {watch: 2s, warm: 10m}", "retention: {watch: 1s, warm: 1s}")
    prod.edit("berth.yaml", "warm: 1s}", "warm: 1s, releases: 1}")
    stage = prod.in_environment("stage")
    await prod.deploy("v1")
    for tag in ("v1", "v3", "v2", "v1", "v2"):
        await stage.deploy(tag)
        if tag == "v3":
            only_here = await image_of(web_of(stage, 2))
            assert await is_there(only_here)
    await until(lambda: has_only(stage, 5, 4))
    assert not await is_there(only_here)
    assert await is_there(await image_of(web_of(prod)))
    assert (await prod.ask()).version == "v1"
    assert (await stage.ask()).version == "v2"


async def has_only(shop: App, *numbers: int) -> bool:
    """Whether housekeeping has left just these releases."""
    await shop.done("tick")
    rows = shop.server.rows("SELECT number FROM releases WHERE stack = ?", shop.stack)
    return {row[0] for row in rows} == set(numbers)


async def test_a_name_means_the_own_release_while_two_run(app: MakeApp) -> None:
    shop = app("web", "stage")
    await shop.deploy("v1")
    await shop.deploy("v2")
    for number in (1, 2):
        own = await address_of(web_of(shop, number), f"{shop.project}-r{number}-net")
        assert await resolves(web_of(shop, number), "web") == {own}


async def test_the_address_survives_a_restart(app: MakeApp) -> None:
    shop = app("web", "stage")
    await shop.deploy("v1")
    network = f"{shop.project}-r1-net"
    before = await address_of(web_of(shop), network)
    await docker("restart", web_of(shop))
    assert await address_of(web_of(shop), network) == before

    async def answers() -> bool:
        return (await shop.ask()).status == 200

    await until(answers)


async def test_a_container_reaches_the_entrypoints_of_the_host_and_nothing_else(
    app: MakeApp, server: Server
) -> None:
    shop = app("web", "stage")
    await shop.deploy("v1")
    network = f"{shop.project}-r1-net"
    gateway = await docker(
        "network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", network
    )
    async with listener() as port:
        await shop.done("server", "prepare")
        assert await can_reach(web_of(shop), gateway, server.plain)
        assert not await can_reach(web_of(shop), gateway, port)


@asynccontextmanager
async def listener() -> AsyncIterator[int]:
    """Something of the host that listens on all addresses."""
    made = await asyncio.start_server(lambda _, writer: writer.close(), "0.0.0.0", 0)
    async with made:
        yield made.sockets[0].getsockname()[1]
