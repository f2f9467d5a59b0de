"""Maintenance, and the end of a stack."""

import pytest
from tests.scenario.commands import docker_lines
from tests.scenario.dsl import MakeApp

pytestmark = pytest.mark.docker


async def test_maintenance_answers_503_until_it_is_turned_off(app: MakeApp) -> None:
    shop = app("web")
    await shop.deploy("v1")
    await shop.done("maintenance", "on", shop.stack)
    answer = await shop.ask()
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    await shop.done("maintenance", "off", shop.stack)
    assert (await shop.ask()).version == "v1"


async def test_a_destroyed_stack_leaves_nothing(app: MakeApp) -> None:
    shop = app("workers", "stage")
    await shop.deploy("v1")
    await shop.deploy("v2")
    assert await shop.world() != set()
    await shop.done("destroy", shop.stack, "--confirm", shop.stack)
    assert await shop.world() == set()
    for kind in (("container", "ls", "--all"), ("network", "ls"), ("volume", "ls")):
        assert not await docker_lines(*kind, "--quiet", "--filter", f"name={shop.project}")
    assert (await shop.ask()).status in (404, 421)
    assert shop.server.rows("SELECT id FROM stacks WHERE id = ?", shop.stack) == []


async def test_destroying_needs_the_name(app: MakeApp) -> None:
    shop = app("web")
    await shop.deploy("v1")
    before = await shop.world()
    done = await shop.berth("destroy", shop.stack, "--confirm", "another")
    assert (done.code, await shop.world()) == (2, before)
    assert (await shop.ask()).version == "v1"


async def test_volumes_can_be_kept(app: MakeApp) -> None:
    shop = app("workers")
    await shop.deploy("v1")
    await shop.redis("SET", "precious", "yes")
    await shop.done("destroy", shop.stack, "--confirm", shop.stack, "--keep-volumes")
    assert {item.split()[0] for item in await shop.world()} == {"volume"}
    await shop.deploy("v1")
    assert await shop.redis("GET", "precious") == ["yes"]
