"""An app in production, in memory, whose next layout is rehearsed; its files are real."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from tests.unit.cli.shop import Answer, Shop

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.adapters.secretfiles import DiskSecretFiles
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.domain.routing import Entrypoint, RouteTable, Tls
from berthmaster.domain.sealed import SealedValues
from berthmaster.testing.behaviour import HEALTHY, Behaviour
from berthmaster.testing.compose import FakeCompose
from berthmaster.testing.databases import FakeDatabases
from berthmaster.testing.prober import FakeProber
from berthmaster.testing.registry import FakeRegistry

PROD = StackId("watch", "prod")
COPY = StackId("watch", "prod", "rehearsal")
BERTHFILE = """\
app: watch
routes:
  - {path: /, service: web, port: 8000, ready: /health/}
environments:
  prod: {compose: [compose.yaml], hosts: [watch.test, "*.watch.test"]}
services:
  db: {role: state}
  redis: {role: state}
  mail: {role: state}
  worker: {role: consumer}
  beat: {role: single}
jobs:
  migrate: {service: web, command: [migrate]}
smoke:
  - {path: /health/, host: acme.watch.test}
rehearsal:
  compose: [doubles.yaml]
  env: {EMAIL_HOST: mail, STRIPE_SECRET_KEY: sk_test_0123456789ab}
  parity: [/api/ping/]
retention: {watch: 0s, warm: 600s}
"""
COMPOSE = """\
services:
  web:
    image: registry.test/watch:${IMAGE_TAG}
    secrets: [db_password]
    environment: {EMAIL_HOST: "${EMAIL_HOST:-smtp.test}", STRIPE_SECRET_KEY: "${STRIPE_SECRET_KEY}"}
  worker: {image: "registry.test/watch:${IMAGE_TAG}"}
  beat: {image: "registry.test/watch:${IMAGE_TAG}"}
  db: {image: "registry.test/postgres:15", secrets: [db_password]}
  redis: {image: "registry.test/redis:7"}
secrets:
  db_password: {file: secrets/prod/db_password}
"""
OVERLAY = """\
services:
  mod_api: {image: "registry.test/modular:${IMAGE_TAG}"}
  mod_worker: {image: "registry.test/modular:${IMAGE_TAG}"}
  mod_db: {image: "registry.test/postgres:15"}
"""
DOUBLES = "services:\n  mail: {image: registry.test/mailpit:1}\n"
MAP = ("--map", "mod_api=web", "--map", "mod_worker=worker", "--map", "mod_db=db")
LIVE_KEY = "sk_live_9fK2mQ7xW4tR8zLpV3nB"
ENTRYPOINTS = (Entrypoint("https", 8443, Tls.LOCAL),)


def model(files: tuple[str, ...], variables: dict[str, str]) -> dict[str, Any]:
    """What Compose would render of these files."""
    tag = variables.get("IMAGE_TAG", "v1")
    net: dict[str, Any] = {"networks": {"default": None}}
    secret = {"secrets": [{"source": "db_password"}]}
    rows = {"type": "volume", "source": "rows", "target": "/var/lib/postgresql/data"}
    told = {
        "EMAIL_HOST": variables.get("EMAIL_HOST", "smtp.test"),
        "STRIPE_SECRET_KEY": variables.get("STRIPE_SECRET_KEY", ""),
    }
    app = {"image": f"registry.test/watch:{tag}", **net}
    services: dict[str, Any] = {
        "web": {**app, **secret, "environment": told},
        "worker": {**app, "environment": {"BROKER": "redis://redis:6379/0"}},
        "beat": app,
        "db": {"image": "registry.test/postgres:15", **secret, "volumes": [rows], **net},
        "redis": {"image": "registry.test/redis:7", **net},
    }
    if "mod.yaml" in files:
        mod = {"image": f"registry.test/modular:{tag}", **net}
        url = "postgres://app@mod_db:5432/app"
        services["mod_api"] = {**mod, "environment": {"DB": url}, "depends_on": {"mod_db": {}}}
        services["mod_worker"] = mod
        services["mod_db"] = {"image": "registry.test/postgres:15", **net}
    if "doubles.yaml" in files:
        services["mail"] = {"image": "registry.test/mailpit:1", **net}
    return {
        "services": services,
        "networks": {"default": {"name": "any"}},
        "volumes": {"rows": {"name": "any_rows"}},
        "secrets": {"db_password": {"file": "secrets/prod/db_password"}},
    }


class LayeredCompose(FakeCompose):
    """Renders the files that it is asked for."""

    literals: dict[str, str]  # that every app service is told

    async def config(self, project: str, inputs: Any) -> Any:
        made = model(inputs.files, dict(inputs.variables))
        for name in ("web", "worker", "beat"):
            told = {
                **getattr(self, "literals", {}),
                **made["services"][name].get("environment", {}),
            }
            made["services"][name] = {**made["services"][name], "environment": told}
        self.models[inputs.files] = made
        return await super().config(project, inputs)


@dataclass
class Rehearsals:
    """Types commands at a server with production on it."""

    shop: Shop

    @property
    def store(self) -> Any:
        return self.shop.world.outside.store

    @property
    def compose(self) -> LayeredCompose:
        return cast(LayeredCompose, self.shop.world.outside.compose)

    @property
    def prober(self) -> FakeProber:
        return cast(FakeProber, self.shop.world.outside.prober)

    @property
    def databases(self) -> FakeDatabases:
        return self.shop.world.databases

    @property
    def table(self) -> RouteTable:
        return asyncio.run(self.shop.world.router.table())

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

    def write(self, name: str, text: str) -> None:
        path = self.shop.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if name.startswith("secrets/"):
            path.chmod(0o600)

    def live(self, stack: StackId = PROD) -> Release:
        record = self.store.stack(stack)
        found: Release = self.store.release(stack, record.live)
        return found

    def told(self, service: str, stack: StackId = COPY) -> dict[str, str]:
        """The environment of a service of what runs."""
        release = self.live(stack)
        sealed = SealedValues.from_bytes(self.shop.world.outside.vault.open(release.sealed))
        found = next(item for item in release.services if item.name == service)
        return dict(sealed.environment[found.compose_services[0]])

    def image(self, service: str, stack: StackId = COPY) -> str:
        found = next(item for item in self.live(stack).services if item.name == service)
        assert found.image
        return found.image.runs_as

    def publish(self, reference: str, number: int, behaviour: Behaviour = HEALTHY) -> None:
        registry = cast(FakeRegistry, self.shop.world.outside.registry)
        registry.publish(reference, f"sha256:{number:064x}")
        self.shop.world.engine.script(reference, behaviour)

    def running(self, *prefixes: str) -> dict[str, tuple[str, Any]]:
        """Id and start of each container of these names: what must not change."""
        return {
            name: (item.id, item.started_at)
            for name, item in self.shop.world.engine.containers.items()
            if name.startswith(prefixes)
        }


@pytest.fixture
def rehearsals(shop: Shop) -> Rehearsals:
    """Production runs v1; v2 and the modular image are in the registry."""
    found = Rehearsals(shop)
    for name, text in (
        ("berth.yaml", BERTHFILE),
        ("compose.yaml", COMPOSE),
        ("mod.yaml", OVERLAY),
        ("doubles.yaml", DOUBLES),
        ("secrets/prod/db_password", "Zk4pQ8vLw2Rt6YbN9mXc3HsD7fGj5aTe"),
        ("secrets/prod/STRIPE_SECRET_KEY", LIVE_KEY),
    ):
        found.write(name, text)
    shop.world.outside = replace(
        shop.world.outside,
        compose=LayeredCompose(shop.world.engine),
        specs=BerthfileSpecs(),
        secret_files=DiskSecretFiles(),
        state_folder=shop.folder / "server",
        entrypoints=ENTRYPOINTS,
    )
    for number, reference in enumerate(
        ("watch:v1", "watch:v2", "modular:v1", "modular:v2", "postgres:15", "redis:7", "mailpit:1"),
        start=1,
    ):
        found.publish(f"registry.test/{reference}", number)
    found.good("deploy", "prod", "--tag", "v1")
    found.databases.inside("watch-prod-db-1")["postgres"] = "customers"
    return found
