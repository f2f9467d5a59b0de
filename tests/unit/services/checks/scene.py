"""An app in a folder, a server in memory, and `berth check` asked about both.

As it stands every check passes; a test breaks one thing.
"""

import atexit
import copy
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tests.builders import release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.domain.check import Check
from berthmaster.domain.names import StackId
from berthmaster.domain.probing import Certificate
from berthmaster.domain.routing import RouteTable
from berthmaster.ports.outside import Outside
from berthmaster.services.checks.asking import CheckReport, check_environment
from berthmaster.services.render_model import ReleaseRequest
from berthmaster.testing.compose import FakeCompose
from berthmaster.testing.host import FakeFirewall, FakeHost
from berthmaster.testing.prober import FakeProber
from berthmaster.testing.registry import FakeRegistry

STACK = StackId("shop", "prod")
DIGEST = f"sha256:{'ab' * 32}"
WEB = "registry.test/shop:v1"
DB = "postgres:16.1"
BERTHFILE = """\
app: shop
routes:
  - {path: /, service: web, port: 8000}
environments:
  prod:
    compose: [compose.yaml]
    env_file: [versions.env, .env.prod]
    hosts: [shop.berth.dev]
"""
COMPOSE = """\
services:
  web:
    image: registry.test/shop:v1
    environment: {APP_ENV: production}
  db:
    image: postgres:${POSTGRES_VERSION}
"""
MODEL: Mapping[str, Any] = {
    "services": {
        "web": {
            "image": WEB,
            "environment": {
                "APP_ENV": "production",
                "DB_HOST": "db",
                "DB_SSLMODE": "require",
                "ALLOWED_HOSTS": ".berth.dev",
            },
            "healthcheck": {"test": ["CMD", "curl", "-f", "http://127.0.0.1:8000/"]},
            "deploy": {"resources": {"limits": {"memory": "512M"}}},
        },
        "db": {
            "image": DB,
            "volumes": [{"type": "volume", "source": "data", "target": "/var/lib/postgresql"}],
        },
    },
    "volumes": {"data": {"name": "shop-prod_data"}},
}


@dataclass
class Scene:
    """One environment; fields are broken by tests before `report` is called."""

    folder: Path
    world: World = field(default_factory=empty_world)
    host: FakeHost = field(default_factory=FakeHost)
    firewall: FakeFirewall = field(default_factory=FakeFirewall)
    model: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(dict(MODEL)))
    allow: str = ""  # of berth.yaml's policy

    @property
    def outside(self) -> Outside:
        return replace(
            self.world.outside, host=self.host, firewall=self.firewall, specs=BerthfileSpecs()
        )

    @property
    def web(self) -> dict[str, Any]:
        service: dict[str, Any] = self.model["services"]["web"]
        return service

    @property
    def db(self) -> dict[str, Any]:
        service: dict[str, Any] = self.model["services"]["db"]
        return service

    def set(self, **values: str) -> None:
        """Give the web service more environment values."""
        self.web["environment"] |= values

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self) -> None:
        self.write(".gitignore", ".env*\n")
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
            identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
            subprocess.run(["git", *identity, *words], cwd=self.folder, check=True)

    def image(self, name: str, **more: Any) -> None:
        """Change what is known of a local image, under each of its names."""
        images = self.world.engine.images
        old = images[name]
        new = replace(old, **more)
        images.update({key: new for key, item in images.items() if item == old})

    async def report(self, environment: str = "prod") -> CheckReport:
        compose = self.world.outside.compose
        assert isinstance(compose, FakeCompose)
        compose.models[("compose.yaml",)] = self.model
        request = ReleaseRequest(StackId("shop", environment), self.folder)
        return await check_environment(self.outside, request)

    async def of(self, check_id: str, environment: str = "prod") -> list[Check]:
        """The answers of one kind."""
        found = await self.report(environment)
        return [item for item in found.checks if item.id.partition(".")[0] == check_id]

    async def deployed(self) -> None:
        """Put a release live, with its containers and its certificate."""
        await self.world.deploy(release(1, hosts=("shop.berth.dev",)))

    @property
    def prober(self) -> FakeProber:
        assert isinstance(self.world.outside.prober, FakeProber)
        return self.world.outside.prober

    def certificate(self, *, days: int = 60, name: str = "shop.berth.dev") -> None:
        """What the edge shows for the shop's host: of 90 days, with this many left."""
        ends = self.world.outside.clock.now() + timedelta(days=days)
        shown = Certificate((name,), "CN=test", ends - timedelta(days=90), ends)
        self.prober.certificates["shop.berth.dev"] = shown

    def empty_router(self) -> None:
        self.world.router._table = RouteTable()


def good_scene(folder: Path) -> Scene:
    """Committed and with everything that it needs: nothing is wrong."""
    shutil.copytree(_committed(), folder, dirs_exist_ok=True)
    scene = Scene(folder)
    registry = scene.world.outside.registry
    assert isinstance(registry, FakeRegistry)
    for name in (WEB, DB):
        registry.publish(name, DIGEST)
        scene.world.engine.add_image(name, f"{name.rpartition(':')[0]}@{DIGEST}")
    scene.host.names["shop.berth.dev"] = ("192.0.2.1",)
    return scene


@cache
def _committed() -> Path:
    """The app in a repository, made once: git costs more than a test."""
    made = tempfile.TemporaryDirectory()
    atexit.register(made.cleanup)
    scene = Scene(Path(made.name))
    scene.write("berth.yaml", BERTHFILE)
    scene.write("compose.yaml", COMPOSE)
    scene.write("versions.env", "POSTGRES_VERSION=16.1\n")
    scene.write(".env.prod", "LEVEL=info\n")
    scene.commit()
    return scene.folder
