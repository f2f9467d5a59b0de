"""Turning back past an incompatible migration: only with its data, and with the right data."""

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world, incompatible

from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.ports.progress import Silence
from berthmaster.services.roll_back import plan_rollback, roll_back

DB = "shop-prod-db-1"


async def world_past_a_migration() -> World:
    world = empty_world()
    await incompatible(world, 2)
    return world


async def test_it_is_refused_without_a_restore_point_and_names_the_one_to_use() -> None:
    world = await world_past_a_migration()
    with pytest.raises(NotAllowed, match="r2 ran the incompatible migration migrate") as refused:
        await plan_rollback(world.outside, SHOP, to=1)
    assert refused.value.next_command == (
        "berth rollback shop@prod --to r1 --restore-point before-r2"
    )


async def test_with_one_the_old_code_runs_on_the_old_data_and_the_new_data_is_kept() -> None:
    world = await world_past_a_migration()
    await roll_back(world.outside, SHOP, Silence(), to=1, restore_point="before-r2")
    found = world.databases.inside(DB)
    kept = [name for name in found if name.startswith("postgres_until_")]
    assert (found["postgres"], [found[name] for name in kept]) == ("first", ["later"])
    view = await world.view()
    assert (view.live, view.is_in_maintenance) == (1, False)
    assert not [item for item in view.containers if item[0].startswith("shop-prod-r2")]


async def test_a_point_that_is_not_there_is_named_with_those_that_are() -> None:
    world = await world_past_a_migration()
    with pytest.raises(NotFound, match="it has before-r2"):
        await plan_rollback(world.outside, SHOP, to=1, restore_point="before-r9")


async def test_a_point_taken_after_the_migration_is_refused() -> None:
    world = await world_past_a_migration()
    await world.deploy(release(3))
    with pytest.raises(NotAllowed, match="after the incompatible migration of r2"):
        await plan_rollback(world.outside, SHOP, to=1, restore_point="before-r3")
