"""An image is what its digest says; the registry counts, and state that runs is not asked for."""

from typing import Any

import pytest
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.errors import ImageNotFound, OutsideError
from berthmaster.domain.release import ImagePin
from berthmaster.domain.spec import Role
from berthmaster.planner.roles import RoleDecision
from berthmaster.services.pin_images import PinnedImages, pin_images
from berthmaster.testing.registry import FakeRegistry

DIGEST = f"sha256:{'a' * 64}"
WEB = "registry.test:5000/shop:v1"


def registry(world: World) -> FakeRegistry:
    found = world.outside.registry
    assert isinstance(found, FakeRegistry)
    return found


async def pin(
    world: World, reference: str, state: dict[str, ImagePin] | None = None
) -> PinnedImages:
    model: dict[str, Any] = {"services": {"web": {"image": reference}}}
    return await pin_images(world.outside, model, (RoleDecision("web", Role.ROUTED, ""),), state)


async def test_a_tag_becomes_the_digest_behind_it() -> None:
    world = empty_world()
    registry(world).publish(WEB, DIGEST)
    pinned = await pin(world, WEB)
    assert pinned.pins["web"].runs_as == f"registry.test:5000/shop@{DIGEST}"


async def test_the_registry_wins_over_an_old_local_copy_of_the_tag() -> None:
    world = empty_world()
    world.engine.add_image(WEB)
    registry(world).publish(WEB, DIGEST)
    assert (await pin(world, WEB)).pins["web"].runs_as.endswith(DIGEST)


async def test_an_image_that_only_this_server_has_runs_by_its_id_and_a_note_says_so() -> None:
    world = empty_world()
    image = world.engine.add_image(WEB)
    pinned = await pin(world, WEB)
    assert pinned.pins["web"].runs_as == image.id
    assert pinned.notes == (f"{WEB} is in no registry; it runs by its local id",)


async def test_a_registry_that_does_not_answer_stops_what_is_not_here() -> None:
    world = empty_world()
    world.engine.fail_next("registry.digest")
    with pytest.raises(OutsideError):
        await pin(world, WEB)


async def test_an_image_that_nobody_has_is_named() -> None:
    with pytest.raises(ImageNotFound, match="in no registry and not on this server"):
        await pin(empty_world(), WEB)


async def test_a_digest_is_taken_at_its_word() -> None:
    world = empty_world()
    pinned = await pin(world, f"{WEB}@{DIGEST}")
    assert pinned.pins["web"].runs_as == f"registry.test:5000/shop@{DIGEST}"
    assert not [call for call in world.engine.calls if call[0] == "registry.digest"]


async def test_no_registry_is_asked_about_state_that_runs() -> None:
    world = empty_world()
    running = ImagePin(WEB, "sha256:running")
    pinned = await pin(world, WEB, {"web": running})
    assert pinned.pins["web"] == running
    assert not [call for call in world.engine.calls if call[0] == "registry.digest"]
