"""Broken releases: refused with their cause, while the old one answers and nothing is left."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.scenario.dsl import App
from tests.scenario.server import Server

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def live(server: Server) -> Iterator[App]:
    """One stack with a good release, for every broken one."""
    made = App(server, "broken").write("web")
    asyncio.run(made.deploy("v1"))
    yield made
    asyncio.run(server.remove_app(made.name))


@pytest.fixture
async def shop(live: App) -> AsyncIterator[App]:
    yield live
    live.write("web").variables.clear()
    live.give()


@pytest.mark.requirement("R150")
@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("crash", "DATABASE_URL seems to be missing"),
        ("exits_zero", "exit code 0"),
        ("wrong_port", "listens on 0.0.0.0:9000"),
        ("localhost", "listens on 127.0.0.1:8000 only"),
        ("redirect", "redirect to https://"),
        ("host", "refuses the public Host header"),
        ("error", "answers 500"),
    ],
)
async def test_a_broken_release_is_refused_and_leaves_nothing(
    shop: App, broken: str, said: str
) -> None:
    before = await shop.world()
    shop.give(BROKEN=broken)
    async with shop.watched() as seen:
        done = await shop.deploy("v2", code=1)
    assert said in done.err, done.err
    assert "r1 still serves" in done.err
    assert (seen.versions, seen.lost) == (["v1"], [])
    assert await shop.world() == before


async def test_a_failing_healthcheck_is_named(shop: App) -> None:
    before = await shop.world()
    check = "    healthcheck: {test: [CMD, python, /app/app.py, check], interval: 1s, retries: 2}\n"
    shop.edit("compose.yaml", "    environment:\n", f"{check}    environment:\n")
    shop.give(BROKEN="never_healthy")
    async with shop.watched() as seen:
        done = await shop.deploy("v2", code=1)
    assert "the queue is not reachable" in done.err, done.err
    assert (seen.versions, seen.lost) == (["v1"], [])
    assert await shop.world() == before


async def test_a_release_that_dies_while_watched_is_turned_back(shop: App) -> None:
    before = await shop.world()
    shop.give(BROKEN="dies_later")
    async with shop.watched() as seen:
        done = await shop.deploy("v2", code=1)
        assert (await shop.ask()).version == "v1"
    assert "Its process ended" in done.err, done.err
    assert seen.versions[0] == seen.versions[-1] == "v1", seen
    assert await shop.world() == before


async def test_a_failed_smoke_request_is_named(shop: App) -> None:
    before = await shop.world()
    shop.edit("berth.yaml", "retention:", "smoke: [{path: /version, contains: v1}]\nretention:")
    async with shop.watched() as seen:
        done = await shop.deploy("v2", code=1)
    assert "/version" in done.err, done.err
    assert (seen.versions, seen.lost) == (["v1"], [])
    assert await shop.world() == before


async def test_a_slow_start_is_waited_for(shop: App) -> None:
    shop.edit("berth.yaml", "ready: 5s", "ready: 100s").give(BROKEN="slow_start")
    async with shop.watched() as seen:
        await shop.deploy("v2")
    assert (seen.versions, seen.lost) == (["v1", "v2"], [])


async def test_a_tag_that_does_not_exist_touches_nothing(shop: App) -> None:
    before = await shop.world()
    done = await shop.deploy("v99", code=3)
    assert "v99" in done.err
    assert await shop.world() == before
