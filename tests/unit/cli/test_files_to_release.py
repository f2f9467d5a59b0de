"""check, plan and deploy from the files of an app, at the in-memory twins."""

from dataclasses import replace
from typing import Any, cast

import pytest
from tests.unit.cli.shop import Shop

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
  dev: {compose: [compose.yaml], hosts: [dev.cart.test]}
"""
COMPOSE = "services:\n  web:\n    image: registry.test/cart:${IMAGE_TAG}\n"
MODEL: dict[str, Any] = {
    "services": {
        "web": {
            "image": "registry.test/cart:v1",
            "environment": {"SECRET_KEY": "planted-secret-value"},
            "networks": {"default": None},
        }
    },
    "networks": {"default": {"name": "cart-prod_default"}},
}


@pytest.fixture
def cart(shop: Shop) -> Shop:
    """An app that was never deployed; its image is in the registry."""
    (shop.folder / "berth.yaml").write_text(BERTHFILE)
    (shop.folder / "compose.yaml").write_text(COMPOSE)
    world = shop.world
    cast(FakeCompose, world.outside.compose).models[("compose.yaml",)] = MODEL
    cast(FakeRegistry, world.outside.registry).publish("registry.test/cart:v1", f"sha256:{1:064x}")
    world.engine.script("registry.test/cart:v1", HEALTHY)
    world.outside = replace(world.outside, specs=BerthfileSpecs(), state_folder=shop.folder)
    return shop


def test_a_ready_environment_passes_the_check(cart: Shop) -> None:
    answer = cart.berth("check", "prod", "--tag", "v1")
    assert answer.code == 0, answer.out + answer.err
    assert "ready: berth deploy cart@prod" in answer.out


def test_what_must_be_changed_fails_the_check_with_2_and_its_remedy(cart: Shop) -> None:
    (cart.folder / "berth.yaml").write_text(
        BERTHFILE.replace("hosts: [cart", "entrypoint: x, hosts: [cart")
    )
    found = cart.berth("check", "prod", "--tag", "v1", "--json")
    assert found.code == 2
    bad = [item for item in found.json["checks"][0]["checks"] if item["severity"] == "change"]
    assert [item["id"] for item in bad] == ["entrypoint"]
    assert "entrypoint" in bad[0]["remedy"]


def test_an_unknown_key_is_told_with_file_and_line(cart: Shop) -> None:
    (cart.folder / "berth.yaml").write_text(BERTHFILE + "rutes: []\n")
    answer = cart.berth("plan", "prod")
    assert answer.code == 2
    assert "berth.yaml:7" in answer.err
    assert "routes" in answer.err


def test_the_environment_must_be_named_when_there_are_two(cart: Shop) -> None:
    answer = cart.berth("plan")
    assert answer.code == 2
    assert "which environment? berth.yaml has dev, prod" in answer.err


def test_an_environment_that_is_not_declared_leaves_no_stack_behind(cart: Shop) -> None:
    answer = cart.berth("deploy", "staging")
    assert answer.code == 2
    assert "it has dev, prod" in answer.err
    assert cart.world.outside.store.stacks() == ()


def test_a_plan_changes_nothing_and_a_deploy_can_be_held_to_it(cart: Shop) -> None:
    plan = cart.berth("plan", "prod", "--tag", "v1", "--json").json
    assert cart.world.outside.store.stacks() == ()
    stale = cart.berth("deploy", "prod", "--tag", "v1", "--based-on", "0" * 12)
    assert (stale.code, "has changed since that plan" in stale.err) == (2, True)
    done = cart.berth("deploy", "prod", "--tag", "v1", "--based-on", plan["based_on"])
    assert done.code == 0, done.err


def test_a_deploy_ends_with_the_release_and_a_second_one_has_nothing_to_do(cart: Shop) -> None:
    first = cart.berth("deploy", "prod", "--tag", "v1", "--json").json
    again = cart.berth("deploy", "prod", "--tag", "v1")
    assert first.keys() == {
        "stack", "verb", "release", "replaced", "deployment", "seconds", "is_changed", "warm",
        "kept",
    }  # fmt: skip
    assert (first["release"], first["is_changed"]) == (1, True)
    assert "nothing changed since r1" in again.out


def test_a_release_that_is_never_healthy_ends_with_1_and_a_report(cart: Shop) -> None:
    cart.world.engine.script("registry.test/cart:v1", NEVER_HEALTHY)
    answer = cart.berth("deploy", "prod", "--tag", "v1")
    assert answer.code == 1
    assert "cart@prod: the new release was refused" in answer.err
    assert "nothing was serving before" in answer.err
    assert "planted-secret-value" not in answer.err + answer.out


def test_all_goes_over_what_the_store_knows_and_leaves_the_unchanged_alone(cart: Shop) -> None:
    cart.berth("deploy", "prod", "--tag", "v1")
    calls = len(cart.world.engine.calls)
    answer = cart.berth("deploy", "--all")
    made = [name for name, _ in cart.world.engine.calls[calls:]]
    assert answer.out == "0 deployed, 1 unchanged, 0 skipped, 0 failed\n"
    assert not [name for name in made if name.startswith(("compose.", "registry."))]


def test_plan_all_shows_what_deploy_all_would_do_and_keeps_no_reservation(cart: Shop) -> None:
    cart.berth("deploy", "prod", "--tag", "v1")
    same = cart.berth("plan", "--all")
    before = cart.world.outside.store.subnets()
    registry = cast(FakeRegistry, cart.world.outside.registry)
    registry.publish("registry.test/cart:v2", f"sha256:{2:064x}")
    found = cart.berth("plan", "--all", "--tag", "v2")
    assert same.out == "0 would change, 1 unchanged, 0 skipped, 0 failed\n"
    assert found.out.startswith("cart@prod")
    assert found.out.endswith("1 would change, 0 unchanged, 0 skipped, 0 failed\n")
    assert cart.world.outside.store.subnets() == before


def test_plan_all_goes_on_after_a_stack_that_cannot_be_planned(cart: Shop) -> None:
    cart.berth("deploy", "prod", "--tag", "v1")
    (cart.folder / "berth.yaml").write_text(BERTHFILE + "rutes: []\n")
    answer = cart.berth("plan", "--all", "--json")
    assert answer.code == 2
    assert list(answer.json["failed"]) == ["cart@prod"]


def test_all_takes_no_stack_beside_it(cart: Shop) -> None:
    for verb in ("plan", "deploy"):
        assert cart.berth(verb, "prod", "--all").code == 2
