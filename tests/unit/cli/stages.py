"""An app with stage and prod in memory, for what goes from one to the other."""

from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from tests.unit.cli.shop import Answer, Shop

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.domain.routing import Entrypoint, Tls
from berthmaster.testing.behaviour import HEALTHY
from berthmaster.testing.compose import FakeCompose
from berthmaster.testing.registry import FakeRegistry

BERTHFILE = """\
app: cart
routes:
  - {path: /, service: web, port: 8000, ready: /health/}
environments:
  prod: {compose: [compose.yaml], hosts: [cart.test], secrets: secrets}
  stage: {compose: [compose.yaml, compose.stage.yaml], hosts: [stage.cart.test], entrypoint: stage}
smoke:
  - /ready
"""
COMPOSE = "services:\n  web:\n    image: registry.test/cart:${IMAGE_TAG}\n"
ENTRYPOINTS = (Entrypoint("https", 8443, Tls.LOCAL), Entrypoint("stage", 8081))


def model(tag: str = "v1", **more: Any) -> dict[str, Any]:
    web = {
        "image": f"registry.test/cart:{tag}",
        "environment": {"SECRET_KEY": "planted-secret-value"},
        "networks": {"default": None},
    }
    return {"services": {"web": {**web, **more}}, "networks": {"default": {"name": "any"}}}


@dataclass
class Stages:
    """Types commands as one person or another."""

    shop: Shop

    @property
    def registry(self) -> FakeRegistry:
        return cast(FakeRegistry, self.shop.world.outside.registry)

    def berth(self, *words: str, by: str = "ann@test") -> Answer:
        self.shop.world.outside = replace(self.shop.world.outside, actor=by)
        return self.shop.berth(*words)

    def good(self, *words: str, by: str = "ann@test") -> Answer:
        answer = self.berth(*words, by=by)
        assert answer.code == 0, answer.out + answer.err
        return answer

    def refused(self, *words: str, by: str = "ann@test") -> str:
        answer = self.berth(*words, by=by)
        assert answer.code == 2, answer.out + answer.err
        return " ".join(answer.err.split())

    def write(self, name: str, text: str) -> None:
        (self.shop.folder / name).write_text(text)

    def publish(self, tag: str, number: int) -> None:
        reference = f"registry.test/cart:{tag}"
        self.registry.publish(reference, f"sha256:{number:064x}")
        self.shop.world.engine.script(reference, HEALTHY)

    def render(self, **more: Any) -> None:
        compose = cast(FakeCompose, self.shop.world.outside.compose)
        compose.models[("compose.yaml",)] = model(**more)
        compose.models[("compose.yaml", "compose.stage.yaml")] = model(**more)

    def runs(self, environment: str) -> str | None:
        """The digest that the live release runs, by its last digits."""
        found = self.good("show", environment, "--json").json["services"]
        return str(found[0]["runs_as"])[-4:]


@pytest.fixture
def stages(shop: Shop) -> Stages:
    """Nothing is deployed; v1 and v2 are in the registry."""
    found = Stages(shop)
    found.write("berth.yaml", BERTHFILE)
    found.write("compose.yaml", COMPOSE)
    found.write("compose.stage.yaml", "services: {}\n")
    (shop.folder / "secrets").mkdir()
    found.render()
    for number in (1, 2):
        found.publish(f"v{number}", number)
    shop.world.outside = replace(
        shop.world.outside,
        specs=BerthfileSpecs(),
        state_folder=shop.folder,
        entrypoints=ENTRYPOINTS,
    )
    return found
