"""A container in two networks is found by Traefik only when it was told which to take."""

import pytest
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.container import Container
from berthmaster.domain.errors import NotAllowed
from berthmaster.services.refuse_wandering import CHOICE, refuse_wandering
from berthmaster.testing.runtime import FakeRuntime

RULE = {"traefik.http.routers.web.rule": "Host(`shop.test`)"}


async def behind_traefik(
    labels: dict[str, str], *, command: bytes = b"traefik", network: str = "old_default"
) -> tuple[World, Container]:
    world = empty_world()
    for name, image, own in (("web", "shop:1", labels), ("proxy", "traefik:v3", {})):
        where = {"old_default" if name == "web" else network: f"172.28.0.{len(name)}"}
        made = world.engine.add_container(
            name, world.engine.add_image(image), labels=own, addresses=where
        )
        made.image = image
        made.start(world.outside.clock.now())
    runtime = world.outside.runtime
    assert isinstance(runtime, FakeRuntime)
    runtime.programs["cat"] = lambda container, arguments, source: (0, command)
    found = await runtime.container("web")
    assert found
    return world, found


async def test_it_is_refused_with_the_label_that_mends_it() -> None:
    world, web = await behind_traefik(RULE)
    with pytest.raises(NotAllowed, match=r"label traefik\.docker\.network=old_default") as caught:
        await refuse_wandering(world.outside, "old", [web])
    assert caught.value.next_command == "docker compose up -d"


@pytest.mark.parametrize(
    ("labels", "command", "network"),
    [
        ({**RULE, CHOICE: "old_default"}, b"traefik", "old_default"),
        (RULE, b"traefik\0--providers.docker.network=old_default", "old_default"),
        (RULE, b"TRAEFIK_PROVIDERS_DOCKER_NETWORK=old_default", "old_default"),
        (RULE, b"traefik", "another"),  # it is not beside it, and so does not ask it
        ({"a": "b"}, b"traefik", "old_default"),
    ],
)
async def test_one_that_was_told_or_does_not_ask_is_fine(
    labels: dict[str, str], command: bytes, network: str
) -> None:
    world, web = await behind_traefik(labels, command=command, network=network)
    await refuse_wandering(world.outside, "old", [web])
