"""Which image the gateway runs from, asked of an engine that is a dictionary."""

from typing import Any, cast

import aiodocker
import pytest

from berthmaster.adapters.gateway.images import ROUTER_IMAGES, choose_image
from berthmaster.domain.errors import ImageNotFound

OWN, PUBLIC = ROUTER_IMAGES


class Engine:
    """Images that are here, and those that its registry has; a name with `broken` breaks off."""

    def __init__(self, here: set[str], registry: set[str]) -> None:
        self.here = here
        self.registry = registry
        self.pulled: list[str] = []
        self.images = self

    async def inspect(self, name: str) -> dict[str, Any]:
        if name not in self.here:
            raise aiodocker.DockerError(404, f"no such image: {name}")
        return {"Id": f"sha256:{name}"}

    async def pull(self, name: str) -> list[dict[str, Any]]:
        self.pulled.append(name)
        if name not in self.registry:
            raise aiodocker.DockerError(500, "registry.test: no such host")
        if "broken" in name:
            return [{"status": "Pulling"}, {"error": "unexpected EOF"}]
        self.here.add(name)
        return [{"status": "Downloaded"}]


async def choose(engine: Engine, wanted: str | None = None) -> tuple[str, str]:
    return await choose_image(cast(aiodocker.Docker, engine), wanted, ROUTER_IMAGES)


@pytest.mark.parametrize(
    ("here", "wanted", "chosen", "pulled"),
    [
        ({OWN, PUBLIC}, None, OWN, []),
        ({PUBLIC}, None, PUBLIC, []),
        (set(), None, PUBLIC, [PUBLIC]),
        ({OWN, PUBLIC, "mine:1"}, "mine:1", "mine:1", []),
        ({OWN, PUBLIC}, "mine:1", "mine:1", ["mine:1"]),
    ],
)
async def test_the_image_that_is_wanted_or_here_is_taken_else_one_is_pulled(
    here: set[str], wanted: str | None, chosen: str, pulled: list[str]
) -> None:
    engine = Engine(set(here), {PUBLIC, "mine:1"})
    assert await choose(engine, wanted) == (chosen, f"sha256:{chosen}")
    assert engine.pulled == pulled


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (None, r"needs berthmaster/haproxy:2\.6 or haproxy:2\.6: .*no such host"),
        ("broken:1", "needs broken:1: .*unexpected EOF"),
    ],
)
async def test_an_image_that_nobody_has_is_refused_with_the_reason(
    wanted: str | None, message: str
) -> None:
    with pytest.raises(ImageNotFound, match=message) as refused:
        await choose(Engine(set(), {"broken:1"}), wanted)
    assert refused.value.next_command == "images/build haproxy caddy python"


async def test_an_engine_that_fails_is_no_missing_image() -> None:
    class Failing(Engine):
        async def inspect(self, name: str) -> dict[str, Any]:
            raise aiodocker.DockerError(500, "out of order")

    with pytest.raises(aiodocker.DockerError, match="out of order"):
        await choose(Failing(set(), set()))
