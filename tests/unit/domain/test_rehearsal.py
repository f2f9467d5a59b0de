"""The copy of an environment has names of its own, and asks for less."""

import pytest

from berthmaster.domain.names import StackId
from berthmaster.domain.rehearsal import copied_host, copy_of, production_of, rehearsed
from berthmaster.domain.spec import (
    AppSpec,
    EnvironmentSpec,
    JobSpec,
    RehearsalSpec,
    RouteSpec,
    SmokeSpec,
)

HOSTS = ("shop.test", "*.shop.test", "api.other.test")


@pytest.mark.parametrize(
    ("host", "domain", "copied"),
    [
        ("shop.test", None, "rehearsal.shop.test"),
        ("*.shop.test", None, "*.rehearsal.shop.test"),
        ("acme.shop.test", None, "acme.rehearsal.shop.test"),
        ("api.other.test", None, "rehearsal.api.other.test"),
        ("shop.test", "try.test", "shop-test.try.test"),
        ("*.shop.test", "try.test", "*.shop-test.try.test"),
        ("acme.shop.test", "try.test", "acme.shop-test.try.test"),
    ],
)
def test_each_host_has_one_in_the_copy(host: str, domain: str | None, copied: str) -> None:
    assert copied_host(host, HOSTS, domain) == copied


def test_a_copy_has_the_address_of_its_environment() -> None:
    production = StackId("shop", "prod")
    assert str(copy_of(production)) == "shop@prod/rehearsal"
    assert production_of(copy_of(production)) == production


def test_what_production_asks_of_deploys_is_not_asked_of_its_copy() -> None:
    prod = EnvironmentSpec(
        "prod",
        ("c.yaml",),
        hosts=HOSTS,
        secrets="secrets/prod",
        verified_in="stage",
        needs_approval=True,
    )
    own = RehearsalSpec(
        compose=("doubles.yaml",), env={"A": "1"}, jobs=(JobSpec("hide", "web", ("hide",)),)
    )
    spec = AppSpec(
        "shop",
        "/app",
        {"prod": prod},
        routes=(RouteSpec("/", "web", 80, hosts=("acme.shop.test",)),),
        jobs=(JobSpec("migrate", "web", ("migrate",)),),
        smoke=(SmokeSpec("/", host="shop.test"), SmokeSpec("/x")),
        rehearsal=own,
    )
    found = rehearsed(spec, prod, "/state/secrets")
    there = found.environments["prod"]
    assert (there.verified_in, there.needs_approval) == (None, False)
    assert (there.compose, there.values) == (("c.yaml", "doubles.yaml"), {"A": "1"})
    assert (there.secrets, there.rehearsal) == ("/state/secrets", own)
    assert found.routes[0].hosts == ("acme.rehearsal.shop.test",)
    assert [item.name for item in found.jobs] == ["hide", "migrate"]
    assert [item.host for item in found.smoke] == ["rehearsal.shop.test", None]
    assert spec.environments["prod"] == prod
