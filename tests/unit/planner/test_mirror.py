"""What counts as a difference between stage and prod, and what only makes them themselves."""

from dataclasses import replace
from typing import Any

import pytest

from berthmaster.domain.spec import (
    Allowance,
    AppSpec,
    EnvironmentSpec,
    IntendedDifference,
    Role,
)
from berthmaster.planner.mirror import Side, differences, mirrored, unused
from berthmaster.planner.roles import RoleDecision

SECRET = "planted-secret-value"


def side(name: str, *, web: dict[str, Any] | None = None, **more: Any) -> Side:
    """The environment `name` of a shop; `web` is laid over its service."""
    service = {
        "image": "registry.test/shop:0@sha256:" + name[0] * 64,
        "environment": {"COLOUR": name, "DB_PASSWORD": SECRET + name},
        "command": ["serve", "--name", f"shop-{name}", "--host", f"{name}.shop.test"],
        "ports": [{"target": 80, "published": "8081" if name == "stage" else "80"}],
        "volumes": [{"type": "bind", "source": f"/srv/shop/config/{name}", "target": "/c"}],
        "deploy": {"resources": {"limits": {"memory": "512m"}}},
        **(web or {}),
    }
    model = {
        "services": {"web": service, **more.pop("services", {})},
        "secrets": {"key": {"file": f"/srv/shop/secrets/{name}/key"}},
        "networks": {"default": {"name": f"shop-{name}_default"}},
    }
    there = EnvironmentSpec(name, ("compose.yaml",), hosts=(f"{name}.shop.test",), **more)
    spec = AppSpec("shop", "/srv/shop", {name: there})
    decisions = tuple(
        RoleDecision(item, Role.ROUTED, "said", is_ambiguous=False) for item in model["services"]
    )
    return Side(spec, there, model, decisions, {"DB_PASSWORD": SECRET + name})


def found(web: dict[str, Any], **more: Any) -> list[tuple[str, str, str]]:
    all_of = differences(side("stage", web=web, **more), side("prod"))
    return [(item.what, item.left, item.right) for item in all_of]


@pytest.mark.requirement("R378")
def test_two_environments_that_differ_in_what_makes_them_themselves_are_alike() -> None:
    assert differences(side("stage", entrypoint="stage"), side("prod")) == ()


@pytest.mark.parametrize(
    ("web", "wanted"),
    [
        (
            {"deploy": {"resources": {"limits": {"memory": "256m"}}}},
            ("services.web.deploy.resources.limits.memory", "256m", "512m"),
        ),
        ({"privileged": True}, ("services.web.privileged", "there", "-")),
        ({"user": "0"}, ("services.web.user", "there", "-")),
        (
            {"image": "registry.test/shop:1"},
            ("services.web.image", "registry.test/shop:1", "registry.test/shop:0"),
        ),
        ({"command": ["serve", "--debug"]}, ("services.web.command", "differs", "differs")),
        ({"healthcheck": {"disable": True}}, ("services.web.healthcheck.disable", "there", "-")),
    ],
)
def test_a_setting_that_differs_is_named(web: dict[str, Any], wanted: tuple[str, str, str]) -> None:
    assert found(web) == [wanted]


def test_a_key_that_only_one_has_is_named_without_its_value() -> None:
    answer = found({"environment": {"COLOUR": "x", "DEBUG": "1", "DB_PASSWORD": SECRET}})
    assert answer == [("services.web.environment.DEBUG", "there", "-")]


def test_a_service_that_only_one_has_is_one_difference() -> None:
    more = {"mail": {"image": "mail:1", "environment": {"A": "1"}}}
    assert found({}, services=more) == [("services.mail", "there", "-")]


def test_replicas_policy_and_profiles_count() -> None:
    allow = (Allowance("web", "privileged", "for a test"),)
    ours = side("stage", replicas={"web": 2}, allow=allow, profiles=("mail",), is_strict=False)
    names = {item.what: item.left for item in differences(ours, side("prod"))}
    assert names == {
        "services.web.replicas": "2",
        "policy.allow.web.privileged": "there",
        "policy.strict": "false",
        "profiles.mail": "there",
    }


def test_a_secret_in_a_command_is_neither_a_difference_nor_shown() -> None:
    ours = side("stage", web={"command": ["redis", "--requirepass", f"{SECRET}stage"]})
    theirs = side("prod", web={"command": ["redis", "--requirepass", f"{SECRET}prod"]})
    assert differences(ours, theirs) == ()


def test_no_value_of_a_setting_is_ever_shown() -> None:
    ours = side("stage", web={"command": [SECRET], "labels": {"a": SECRET}})
    assert SECRET not in str(differences(ours, side("prod")))


def test_what_is_listed_as_meant_carries_its_reason() -> None:
    meant = (IntendedDifference("services.*.deploy.resources", "a small server"),)
    ours = side(
        "stage", web={"deploy": {"resources": {"limits": {"memory": "1m"}}}}, intended=meant
    )
    (only,) = differences(ours, side("prod"))
    assert only.why == "a small server"
    assert unused(ours, side("prod"), [only]) == ()


def test_a_listed_difference_that_is_none_is_told() -> None:
    meant = (IntendedDifference("services.mail", "a test mailbox"),)
    ours = side("stage", intended=meant)
    assert unused(ours, side("prod"), differences(ours, side("prod"))) == ("services.mail",)


def test_a_pattern_reaches_what_is_below_it_and_no_more() -> None:
    meant = (IntendedDifference("services.web.deploy.resources.limits.memory.x", "too deep"),)
    ours = side(
        "stage", web={"deploy": {"resources": {"limits": {"memory": "1m"}}}}, intended=meant
    )
    assert [item.why for item in differences(ours, side("prod"))] == [None]


def test_stage_mirrors_prod_without_being_told_to() -> None:
    spec = side("stage").spec
    both = replace(spec, environments={**spec.environments, **side("prod").spec.environments})
    assert (mirrored(both, "stage"), mirrored(both, "prod")) == ("prod", None)
    assert mirrored(spec, "stage") is None
    told = replace(spec, environments={"uat": EnvironmentSpec("uat", (), mirrors="prod")})
    assert mirrored(told, "uat") == "prod"
