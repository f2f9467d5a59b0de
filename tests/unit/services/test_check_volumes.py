"""External volumes: two stacks never write where one of them keeps a database."""

from dataclasses import replace
from typing import Any

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.errors import NotAllowed
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.services.check_volumes import refuse_shared_data

OTHER = StackId("blog", "prod")
RW: dict[str, Any] = {"type": "volume", "source": "data", "target": "/data"}


def with_volume(name: str, *, of_state: bool, read_only: bool = False) -> Release:
    """A release whose database, or whose app, mounts an external volume."""
    value = release(1, volumes=())
    mount = {**RW, "read_only": read_only}
    volumes = {"data": {"name": name, "external": True}}
    if of_state:
        model = {"services": {"db": {"volumes": [mount]}}, "volumes": volumes}
        return replace(value, state_model=model)
    return replace(value, model={"services": {"web": {"volumes": [mount]}}, "volumes": volumes})


def server_with(value: Release) -> World:
    """Another stack that serves this release."""
    world = empty_world()
    world.outside.store.add_stack(OTHER, "/blog")
    world.outside.store.add_release(replace(value, stack=OTHER))
    lease = world.outside.store.acquire_lease(str(OTHER), holder="test", seconds=60)
    world.outside.store.mark_live(OTHER, 1, old=None, warm_until=None, fence=lease.fence)
    return world


@pytest.mark.parametrize(("mine", "theirs"), [(True, True), (True, False), (False, True)])
def test_a_volume_with_data_of_two_stacks_is_refused(mine: bool, theirs: bool) -> None:
    world = server_with(with_volume("pgdata", of_state=theirs))
    with pytest.raises(NotAllowed, match=r"volume pgdata, and so may .* of blog@prod"):
        refuse_shared_data(world.outside, with_volume("pgdata", of_state=mine))


def test_uploads_that_two_apps_share_are_their_own_business() -> None:
    world = server_with(with_volume("uploads", of_state=False))
    refuse_shared_data(world.outside, with_volume("uploads", of_state=False))


def test_reading_and_other_volumes_are_allowed() -> None:
    world = server_with(with_volume("pgdata", of_state=True))
    refuse_shared_data(world.outside, with_volume("pgdata", of_state=False, read_only=True))
    refuse_shared_data(world.outside, with_volume("other", of_state=True))
    assert world.outside.store.stack(SHOP) is None
