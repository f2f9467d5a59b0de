"""Retention keeps what a rollback may need, and only that."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.errors import NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.ports.progress import Silence
from berthmaster.services.forget import KEPT_REFUSED, forget_old
from berthmaster.services.roll_back import plan_rollback
from berthmaster.services.tick import tick


async def served(count: int) -> World:
    world = empty_world()
    for number in range(1, count + 1):
        await world.deploy(release(number))
    return world


def numbers(world: World, state: ReleaseState) -> list[int]:
    summaries = world.outside.store.releases(SHOP)
    return [item.number for item in summaries if item.state is state]


async def test_the_newest_five_that_served_are_kept_beside_live_and_warm() -> None:
    world = await served(9)
    await forget_old(world.outside, [SHOP])
    assert numbers(world, ReleaseState.LIVE) == [9]
    assert numbers(world, ReleaseState.WARM) == [8]
    assert numbers(world, ReleaseState.RETIRED) == [7, 6, 5, 4, 3]


async def test_refused_releases_push_no_rollback_target_out() -> None:
    world = await served(4)
    for number in range(5, 15):
        world.record(release(number))
        world.outside.store.set_release_state(SHOP, number, ReleaseState.FAILED)
    await forget_old(world.outside, [SHOP])
    assert numbers(world, ReleaseState.RETIRED) == [2, 1]
    assert len(numbers(world, ReleaseState.FAILED)) == KEPT_REFUSED


async def test_an_image_goes_with_the_last_release_that_runs_it() -> None:
    world = await served(9)
    await forget_old(world.outside, [SHOP])
    images = set(world.engine.images)
    kept = {item.image.runs_as for item in release(3).services if item.image}
    gone = {item.image.runs_as for item in release(2).services if item.image and item.name == "web"}
    assert kept <= images
    assert not gone & images


async def test_doing_it_twice_does_nothing_more() -> None:
    world = await served(9)
    assert await forget_old(world.outside, [SHOP])
    assert await forget_old(world.outside, [SHOP]) == ()


async def test_killed_while_forgetting_no_address_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    world = await served(9)
    owners = [f"shop-prod-r{number}-net" for number in range(1, 10)]
    world.outside.store.reserve_subnets(owners, taken=[])
    remove = world.outside.store.remove_release

    def remove_and_die(stack: StackId, number: int) -> None:
        remove(stack, number)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(world.outside.store, "remove_release", remove_and_die)
        with pytest.raises(Killed):
            await forget_old(world.outside, [SHOP])
    await forget_old(world.outside, [SHOP])
    assert sorted(world.outside.store.subnets()) == owners[2:]


async def test_a_warm_release_is_retired_when_its_time_is_over_and_can_still_come_back() -> None:
    world = await served(2)
    await world.outside.clock.sleep(601)
    told = await tick(world.outside, Silence())
    assert told == ("shop@prod: r1 was kept warm long enough; it is retired",)
    assert not any("-r1-" in name for name in world.engine.containers)
    plan = await plan_rollback(world.outside, SHOP)
    assert (plan.old, plan.new) == (2, 1)


async def test_there_is_nothing_to_roll_back_to_after_a_first_deploy() -> None:
    world = await served(1)
    with pytest.raises(NotFound, match="no older release"):
        await plan_rollback(world.outside, SHOP)


async def test_housekeeping_reads_no_record_when_nothing_is_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await served(3)
    read = list[int]()
    monkeypatch.setattr(
        type(world.outside.store), "release", lambda store, stack, number: read.append(number)
    )
    assert await tick(world.outside, Silence()) == ()
    assert read == []


async def test_what_is_still_needed_is_read_once_however_many_stacks_forget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rollout leaves a release to forget in each stack, and every command waits for it."""
    world = empty_world()
    store = world.outside.store
    for name in ("a", "b", "c"):
        stack = StackId("shop", "prod", name)
        store.add_stack(stack, "/app")
        for number in range(1, 8):
            store.add_release(replace(release(number), stack=stack))
            store.set_release_state(stack, number, ReleaseState.RETIRED)
    read, records = list[int](), store.release_records

    def counted() -> Iterator[Release]:
        read.append(1)
        return records()

    monkeypatch.setattr(store, "release_records", counted)
    assert len(await tick(world.outside, Silence())) == 3 * 2
    assert len(read) == 1
