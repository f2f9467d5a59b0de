"""`berth deploy ENV --state SERVICE` from the files of an app, at the in-memory twins."""

import copy
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.unit.cli.shop import Answer, Shop

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.testing.behaviour import HEALTHY, NEVER_HEALTHY
from berthmaster.testing.compose import FakeCompose
from berthmaster.testing.registry import FakeRegistry

BERTHFILE = """\
app: cart
routes:
  - {path: /, service: web, port: 8000, ready: /health/}
environments:
  prod: {compose: [compose.yaml], hosts: [cart.test]}
"""
COMPOSE = "services:\n  web:\n    image: registry.test/cart:${IMAGE_TAG}\n"
DATA = {"type": "volume", "source": "data", "target": "/var/lib/postgresql/data"}
MODEL: dict[str, Any] = {
    "services": {
        "web": {"image": "registry.test/cart:v1", "networks": {"default": None}},
        "db": {
            "image": "registry.test/postgres:15.1",
            "environment": {"POSTGRES_PASSWORD": "planted-secret-value"},
            "volumes": [DATA],
            "networks": {"default": None},
        },
    },
    "networks": {"default": {"name": "cart-prod_default"}},
    "volumes": {"data": {"name": "cart-prod_data"}},
}
DB = "cart-prod-db-1"
IMAGES = (
    "registry.test/cart:v1",
    *(f"registry.test/postgres:{tag}" for tag in ("15.1", "15.2", "16.1")),
)


class Cart(Shop):
    """An app with a database, and its Compose file as a value."""

    def says(self, **db: Any) -> None:
        """Change what the Compose file says of the database; None takes a key out."""
        model = copy.deepcopy(MODEL)
        model["services"]["db"].update(db)
        cast(FakeCompose, self.world.outside.compose).models[("compose.yaml",)] = model

    def change(self, *words: str) -> Answer:
        return self.berth("deploy", "prod", "--state", "db", *words)

    @property
    def runs(self) -> tuple[str, str]:
        container = self.world.engine.containers[DB]
        return container.id, container.state


@pytest.fixture
def cart(shop: Shop) -> Cart:
    """An app that was deployed with its database."""
    made = Cart(shop.world, shop.folder, shop.capsys)
    (shop.folder / "berth.yaml").write_text(BERTHFILE)
    (shop.folder / "compose.yaml").write_text(COMPOSE)
    world = shop.world
    for number, name in enumerate(IMAGES, 1):
        cast(FakeRegistry, world.outside.registry).publish(name, f"sha256:{number:064x}")
        world.engine.script(name, HEALTHY)
    world.outside = replace(world.outside, specs=BerthfileSpecs(), state_folder=shop.folder)
    made.says()
    done = made.berth("deploy", "prod", "--tag", "v1")
    assert done.code == 0, done.err
    return made


def test_a_database_that_runs_as_the_files_say_is_left_alone(cart: Cart) -> None:
    before = cart.runs
    answer = cart.change()
    assert (answer.code, "db runs as the files say" in answer.out) == (0, True), answer.err
    assert cart.runs == before


def test_a_deploy_notes_the_change_and_only_state_applies_it(cart: Cart) -> None:
    before = cart.runs
    cart.says(image="registry.test/postgres:15.2", command=["postgres", "-c", "x=1"])
    plan = cart.berth("plan", "prod", "--tag", "v1")
    assert (
        "db: differs from what runs (image registry.test/postgres:15.1 -> "
        "registry.test/postgres:15.2; command): `berth deploy cart@prod --state db` applies it"
    ) in plan.out
    assert cart.berth("deploy", "prod", "--tag", "v1", "--force").code == 0
    assert cart.runs == before
    answer = cart.change()
    assert (answer.code, "cart@prod  db changed" in answer.out) == (0, True), answer.err
    assert cart.runs[0] != before[0]
    assert "differs from what runs" not in cart.berth("plan", "prod", "--tag", "v1").out


def test_the_plan_tells_the_gap_and_no_value(cart: Cart) -> None:
    old = MODEL["services"]["db"]["environment"]
    cart.says(environment={**old, "BACKUP_TOKEN": "another-planted-value"})
    answer = cart.change("--plan")
    assert "db down: at most 130 s; expected" in answer.out
    assert "db: environment BACKUP_TOKEN" in answer.out
    assert "planted" not in answer.out + answer.err


def test_another_password_is_no_change_of_the_database_itself(cart: Cart) -> None:
    """The next deploy sets it, before the release that has it starts."""
    cart.says(environment={"POSTGRES_PASSWORD": "another-planted-value"})
    assert "nothing to change" in cart.change("--plan").out


def test_a_change_that_is_not_good_brings_the_old_database_back(cart: Cart) -> None:
    image_id = cart.world.engine.containers[DB].image_id
    cart.says(image="registry.test/postgres:15.2")
    cart.world.engine.script("registry.test/postgres:15.2", NEVER_HEALTHY)
    answer = cart.change()
    assert (answer.code, "release r1 still serves" in answer.err) == (1, True), answer.err
    container = cart.world.engine.containers[DB]
    assert (container.image_id, container.state) == (image_id, "running")


def test_another_major_version_is_refused_with_the_way_to_it(cart: Cart) -> None:
    before = cart.runs
    cart.says(image="registry.test/postgres:16.1")
    answer = cart.change()
    assert answer.code == 2
    assert "postgres 15 -> postgres 16" in answer.err
    assert "dump, new volume, restore" in answer.err
    assert cart.runs == before


def test_data_is_given_up_only_with_the_stacks_name(cart: Cart) -> None:
    before = cart.runs
    cart.says(volumes=[{**DATA, "target": "/elsewhere"}])
    answer = cart.change()
    assert (answer.code, "no longer mounted" in answer.err) == (2, True), answer.err
    assert cart.runs == before
    assert cart.change("--confirm", "cart@prod").code == 0


def test_an_app_service_is_no_state_service(cart: Cart) -> None:
    answer = cart.berth("deploy", "prod", "--state", "web")
    assert (answer.code, "web is no state service of cart@prod; it has db" in answer.err) == (
        2,
        True,
    )
