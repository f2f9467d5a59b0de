"""What Docker did not start again after it was restarted runs after the next housekeeping."""

from dataclasses import replace
from typing import Any

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.errors import OutsideError
from berthmaster.domain.release import Release
from berthmaster.engine.lease import hold
from berthmaster.services.start_stopped import start_stopped
from berthmaster.services.trouble import Troubles

WORKER, DB = "shop-prod-r1-worker-1", "shop-prod-db-1"


def restarting(value: Release, policy: str) -> Release:
    """The release with this restart policy on every service."""

    def with_policy(model: Any) -> Any:
        # A job says `restart: no` by itself.
        services = {name: {"restart": policy, **item} for name, item in model["services"].items()}
        return {**model, "services": services}

    return replace(
        value, model=with_policy(value.model), state_model=with_policy(value.state_model)
    )


async def live(policy: str = "unless-stopped") -> World:
    world = empty_world()
    await world.deploy(restarting(release(1), policy))
    world.engine.calls.clear()
    return world


def end(world: World, *names: str) -> None:
    for name in names:
        world.engine.containers[name].end(1, world.outside.clock.now())


def started(world: World) -> list[str]:
    return [subject for method, subject in world.engine.calls if method == "runtime.start"]


async def test_what_ended_is_started_again_state_first() -> None:
    world = await live()
    end(world, WORKER, DB)
    told = await start_stopped(world.outside, Troubles())
    assert started(world) == [DB, WORKER]
    assert len(told) == 2
    assert await start_stopped(world.outside, Troubles()) == ()


async def test_what_may_end_stays_as_it_ended() -> None:
    world = await live("on-failure")
    end(world, WORKER)
    assert await start_stopped(world.outside, Troubles()) == ()
    assert started(world) == []


async def test_a_stack_that_somebody_changes_is_left_alone() -> None:
    world = await live()
    end(world, WORKER)
    async with hold(world.outside.store, str(SHOP), what="somebody"):
        assert await start_stopped(world.outside, Troubles()) == ()
    assert started(world) == []


@pytest.mark.parametrize("number", [1, 2])
async def test_releases_that_are_not_live_are_left_alone(number: int) -> None:
    world = await live()
    await world.deploy(restarting(release(2), "unless-stopped"))
    world.engine.calls.clear()
    names = [name for name in world.engine.containers if f"-r{number}-web" in name]
    end(world, *names)
    await start_stopped(world.outside, Troubles())
    assert (started(world) == names) is (number == 2)


async def test_one_that_does_not_start_keeps_nothing_from_the_others() -> None:
    world, troubles = await live(), Troubles()
    end(world, WORKER, DB)
    refused = OutsideError("port 5432 is taken", subject=DB)
    world.engine.fail_next("runtime.start", refused)
    told = await start_stopped(world.outside, troubles)
    assert [WORKER in line for line in told] == [True]
    assert troubles.errors == [refused]
