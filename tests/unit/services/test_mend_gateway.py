"""Housekeeping puts the gateway right, and leaves one alone that a person took down."""

from dataclasses import replace
from typing import Any, cast

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.routing import GatewayStatus, RouteTable
from berthmaster.ports.store import Event
from berthmaster.services.bring_up_gateway import bring_up_gateway, take_down_gateway
from berthmaster.services.mend_gateway import mend_gateway
from berthmaster.testing.router import FakeRouter


class Processes:
    """Router and edge that can be ended."""

    def __init__(self) -> None:
        self.starts = 0

    async def up(self, entrypoints: Any) -> tuple[str, ...]:
        self.starts += 1
        return ("the router was started",)

    async def down(self) -> None:
        pass


async def served(monkeypatch: pytest.MonkeyPatch) -> tuple[World, Processes]:
    world, processes = empty_world(), Processes()
    world.outside = replace(world.outside, gateway=cast(Any, processes))
    await world.deploy(release(1))
    await bring_up_gateway(world.outside)
    return world, processes


def says(monkeypatch: pytest.MonkeyPatch, **facts: Any) -> None:
    original = FakeRouter.status

    async def status(self: FakeRouter) -> GatewayStatus:
        return replace(await original(self), **facts)

    monkeypatch.setattr(FakeRouter, "status", status)


async def test_what_is_right_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world, processes = await served(monkeypatch)
    assert await mend_gateway(world.outside, starts=True) == ()
    assert processes.starts == 1


@pytest.mark.parametrize("starts", [False, True])
async def test_a_file_that_differs_is_written_anew(
    monkeypatch: pytest.MonkeyPatch, starts: bool
) -> None:
    world, processes = await served(monkeypatch)
    says(monkeypatch, differences=("live.map is not what the record says",))
    assert await mend_gateway(world.outside, starts=starts)
    assert processes.starts == 2


async def test_an_emptied_table_comes_back_from_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = await served(monkeypatch)
    world.router._table = RouteTable()
    assert await mend_gateway(world.outside, starts=True)
    assert (await world.router.table()).live == {SHOP.project: SHOP.release_key(1)}


async def test_a_router_that_does_not_run_is_started_by_the_timer_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, processes = await served(monkeypatch)
    says(monkeypatch, is_router_up=False)
    assert await mend_gateway(world.outside) == ()
    assert await mend_gateway(world.outside, starts=True)
    assert processes.starts == 2


async def test_a_gateway_that_was_taken_down_stays_down(monkeypatch: pytest.MonkeyPatch) -> None:
    world, processes = await served(monkeypatch)
    await take_down_gateway(world.outside)
    says(monkeypatch, is_router_up=False)
    assert await mend_gateway(world.outside, starts=True) == ()
    assert processes.starts == 1


async def test_before_the_first_gateway_up_there_is_nothing_to_mend() -> None:
    world = empty_world()
    world.outside = replace(world.outside, gateway=cast(Any, Processes()))
    assert await mend_gateway(world.outside, starts=True) == ()


async def test_a_busy_server_does_not_forget_that_its_gateway_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, processes = await served(monkeypatch)
    store = world.outside.store
    with store.transaction():
        for _ in range(1001):
            store.record(Event(world.outside.clock.now(), "ann@test", str(SHOP), "deploy_failed"))
    says(monkeypatch, is_router_up=False)
    assert await mend_gateway(world.outside, starts=True)
    assert processes.starts == 2
