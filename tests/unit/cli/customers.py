"""An app whose customers have a stack each, in memory; its files are real."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from tests.unit.cli.shop import Answer, Shop

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.adapters.secretfiles import DiskSecretFiles
from berthmaster.domain.names import StackId
from berthmaster.domain.routing import Entrypoint, RouteTable, Tls
from berthmaster.testing.behaviour import HEALTHY, Behaviour
from berthmaster.testing.compose import FakeCompose
from berthmaster.testing.databases import FakeDatabases
from berthmaster.testing.registry import FakeRegistry

BERTHFILE = """\
app: desk
routes:
  - {path: /, service: web, port: 8000, ready: /health/}
environments:
  prod: {compose: [compose.yaml], hosts: [desk.test]}
services:
  db: {role: state}
tenancy:
  mode: silo
  domain: clients.test
  sizes: {small: {web: {memory: 128m}, db: {memory: 256m, connections: 20}}}
domains: {custom: true, reserved: [billing]}
retention: {watch: 0s, warm: 0s}
"""
COMPOSE = """\
services:
  web:
    image: registry.test/desk:${IMAGE_TAG}
    secrets: [db_password]
    environment: {PLAN: "${PLAN:-free}", HOSTS: "${TENANT_HOSTS:-}"}
  db: {image: "registry.test/postgres:15", secrets: [db_password]}
secrets:
  db_password: {file: secrets/prod/db_password}
"""
ENTRYPOINTS = (Entrypoint("https", 8443, Tls.LOCAL),)


def model(tag: str) -> dict[str, Any]:
    secret = {"source": "db_password"}
    networks = {"default": None}
    rows = {"type": "volume", "source": "rows", "target": "/var/lib/postgresql/data"}
    return {
        "services": {
            "web": {
                "image": f"registry.test/desk:{tag}",
                "secrets": [secret],
                "networks": networks,
            },
            "db": {
                "image": "registry.test/postgres:15",
                "secrets": [secret],
                "volumes": [rows],
                "networks": networks,
            },
        },
        "networks": {"default": {"name": "any"}},
        "volumes": {"rows": {"name": "any_rows"}},
        "secrets": {"db_password": {"file": "secrets/prod/db_password"}},
    }


class TaggedCompose(FakeCompose):
    """Renders the app with the tag that it is asked for, and remembers the variables."""

    asked: dict[str, dict[str, str]]

    async def config(self, project: str, inputs: Any) -> Any:
        self.asked = {**getattr(self, "asked", {}), project: dict(inputs.variables)}
        self.models[inputs.files] = model(inputs.variables.get("IMAGE_TAG", "v1"))
        return await super().config(project, inputs)


@dataclass
class Customers:
    """Types commands at a server with tenants."""

    shop: Shop

    @property
    def world(self) -> Any:
        return self.shop.world

    @property
    def store(self) -> Any:
        return self.shop.world.outside.store

    @property
    def databases(self) -> FakeDatabases:
        return self.shop.world.databases

    @property
    def compose(self) -> TaggedCompose:
        return cast(TaggedCompose, self.shop.world.outside.compose)

    def berth(self, *words: str) -> Answer:
        return self.shop.berth(*words)

    def good(self, *words: str) -> Answer:
        answer = self.berth(*words)
        assert answer.code == 0, answer.out + answer.err
        return answer

    def refused(self, *words: str, code: int = 2) -> str:
        answer = self.berth(*words)
        assert answer.code == code, answer.out + answer.err
        return " ".join((answer.out + answer.err).split())

    def add(self, *names: str, tag: str = "v1") -> None:
        for name in names:
            self.good("tenant", "add", f"prod/{name}", "--tag", tag)

    def stack(self, name: str) -> StackId:
        return StackId("desk", "prod", name)

    def live(self, name: str) -> int | None:
        record = self.store.stack(self.stack(name))
        return record.live if record else None

    def tag(self, name: str) -> str | None:
        found = {item.stack: item.tag for item in self.store.live_releases()}
        return cast("str | None", found.get(self.stack(name)))

    def state(self, name: str) -> str:
        return str(self.store.tenant(self.stack(name)).state)

    @property
    def table(self) -> RouteTable:
        return asyncio.run(self.shop.world.router.table())

    def hosts(self) -> dict[str, str]:
        return {item.host: item.stack for item in self.table.hosts}

    def secret(self, name: str, secret: str = "db_password") -> str:
        folder = self.shop.folder / "tenants" / f"desk-prod-{name}" / "secrets"
        return (folder / secret).read_text()

    def publish(self, tag: str, number: int, behaviour: Behaviour = HEALTHY) -> None:
        reference = f"registry.test/desk:{tag}"
        registry = cast(FakeRegistry, self.shop.world.outside.registry)
        registry.publish(reference, f"sha256:{number:064x}")
        self.shop.world.engine.script(reference, behaviour)

    def spoil(self, name: str, number: int) -> None:
        """Let a release of one tenant never become healthy: its data is bad."""
        container = f"desk-prod-{name}-r{number}-web-1"
        self.shop.world.engine.script(container, Behaviour(exit_code=1))

    def write(self, name: str, text: str) -> None:
        (self.shop.folder / name).write_text(text)


@pytest.fixture
def customers(shop: Shop) -> Customers:
    """Nobody is there yet; v1, v2 and v3 are in the registry."""
    found = Customers(shop)
    found.write("berth.yaml", BERTHFILE)
    found.write("compose.yaml", COMPOSE)
    shop.world.outside = replace(
        shop.world.outside,
        compose=TaggedCompose(shop.world.engine),
        specs=BerthfileSpecs(),
        secret_files=DiskSecretFiles(),
        state_folder=shop.folder,
        entrypoints=ENTRYPOINTS,
    )
    for number in (1, 2, 3):
        found.publish(f"v{number}", number)
    registry = cast(FakeRegistry, shop.world.outside.registry)
    registry.publish("registry.test/postgres:15", f"sha256:{15:064x}")
    shop.world.engine.script("registry.test/postgres:15", HEALTHY)
    return found
