"""A key that does not open what is recorded stops everything before anything is changed."""

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.errors import OutsideError
from berthmaster.domain.names import StackId
from berthmaster.ports.progress import Silence
from berthmaster.services.open_records import refuse_unreadable
from berthmaster.services.roll_back import roll_back
from berthmaster.testing.vault import FakeVault


async def locked_out() -> World:
    world = empty_world()
    await world.deploy(release(1))
    await world.deploy(release(2))
    assert isinstance(world.outside.vault, FakeVault)
    world.outside.vault.has_wrong_key = True
    return world


async def test_a_deploy_is_refused_and_what_runs_goes_on() -> None:
    world = await locked_out()
    with pytest.raises(OutsideError, match="shop@prod r2 cannot be opened") as refused:
        refuse_unreadable(world.outside, SHOP)

    assert "what runs goes on" in refused.value.message


async def test_the_first_deploy_of_a_neighbour_makes_no_new_key() -> None:
    world = await locked_out()
    with pytest.raises(OutsideError, match="shop@prod r2"):
        refuse_unreadable(world.outside, StackId("blog", "prod"))


async def test_a_rollback_is_refused_before_it_begins() -> None:
    world = await locked_out()
    before = await world.view()
    with pytest.raises(OutsideError):
        await roll_back(world.outside, SHOP, Silence())

    assert await world.view() == before
    assert len(world.outside.store.deployments(SHOP)) == 2


async def test_an_empty_server_has_nothing_to_open() -> None:
    refuse_unreadable(empty_world().outside, SHOP)
