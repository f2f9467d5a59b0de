"""What the policy refuses, in both syntaxes, and what an override does."""

from dataclasses import replace
from typing import Any

import pytest
from tests.systems import STACKS, load_model, load_spec, load_versioned

from berthmaster.domain.spec import Allowance, AppSpec, EnvironmentSpec, Role, ServiceSpec
from berthmaster.planner.policy import Violation, check_policy
from berthmaster.planner.roles import RoleDecision, guess_roles

STRICT = EnvironmentSpec("prod", ("compose.yaml",))
SPEC = AppSpec(
    "shop",
    "/srv/app",
    {"prod": STRICT, "dev": replace(STRICT, name="dev", is_strict=False)},
    services={"data": ServiceSpec("data", data=("uploads",), binds=("/mnt/data",))},
)


def check(
    service: dict[str, Any], *, name: str = "web", environment: str = "prod", **model: Any
) -> tuple[Violation, ...]:
    full = {"services": {name: {"image": "shop:1.2", **service}}, **model}
    decisions = (RoleDecision(name, Role.ROUTED, "test"),)
    return check_policy(full, decisions, SPEC, environment)


@pytest.mark.requirement("R315")
@pytest.mark.parametrize(
    ("rule", "service"),
    [
        ("privileged", {"privileged": True}),
        ("privileged", {"privileged": "true"}),
        ("privileged", {"post_start": [{"command": ["id"], "privileged": True}]}),
        ("host_network", {"network_mode": "host"}),
        ("host_pid", {"pid": "host"}),
        ("host_ipc", {"ipc": "host"}),
        ("host_userns", {"userns_mode": "host"}),
        ("host_uts", {"uts": "host"}),
        ("host_cgroup", {"cgroup": "host"}),
        ("cgroup_parent", {"cgroup_parent": "/system.slice"}),
        ("foreign_namespace", {"network_mode": "container:other-app"}),
        ("foreign_namespace", {"pid": "container:other-app"}),
        ("devices", {"devices": ["/dev/sda:/dev/sda"]}),
        ("devices", {"devices": [{"source": "/dev/sda", "target": "/dev/sda"}]}),
        ("devices", {"device_cgroup_rules": ["c 1:3 mr"]}),
        ("devices", {"deploy": {"resources": {"reservations": {"devices": [{}]}}}}),
        ("capabilities", {"cap_add": ["SYS_ADMIN"]}),
        ("capabilities", {"cap_add": ["cap_sys_admin"]}),
        ("capabilities", {"cap_add": ["ALL"]}),
        ("security_opt", {"security_opt": ["seccomp:unconfined"]}),
        ("security_opt", {"security_opt": ["apparmor=unconfined"]}),
        ("security_opt", {"security_opt": ["no-new-privileges:false"]}),
        ("reserved_label", {"labels": {"berthmaster.stack": "other@prod"}}),
        ("reserved_label", {"labels": ["com.docker.compose.project=other"]}),
        ("docker_socket", {"volumes": ["/var/run/docker.sock:/s"]}),
        ("docker_socket", {"volumes": ["/run/docker.sock:/s:ro"]}),
        ("docker_socket", {"volumes": [{"type": "bind", "source": "/var/run", "target": "/r"}]}),
        ("docker_socket", {"volumes": ["/:/host:ro"]}),
        ("absolute_bind", {"volumes": ["/etc:/etc:ro"]}),
        ("absolute_bind", {"volumes": [{"type": "bind", "source": "/etc", "target": "/etc"}]}),
        ("absolute_bind", {"volumes": ["/srv/app2:/x"]}),
        ("outside_bind", {"volumes": ["../other:/x"]}),
        ("outside_bind", {"volumes": ["/srv/app/../other:/x"]}),
        ("outside_bind", {"volumes": ["~/.ssh:/x"]}),
        ("writable_bind", {"volumes": ["/srv/app/uploads:/x"]}),
        ("writable_bind", {"volumes": ["./uploads:/x"]}),
        ("build", {"image": None, "build": "."}),
        ("build", {"build": {"context": "."}, "pull_policy": "build"}),
        ("remote_build", {"build": {"context": "https://example.com/x.git"}}),
        ("provider", {"provider": {"type": "sh"}}),
        ("mutable_tag", {"image": "shop"}),
        ("mutable_tag", {"image": "registry:5000/shop"}),
        ("mutable_tag", {"image": "shop:latest"}),
        ("mutable_tag", {"image": "shop:edge"}),
        ("mutable_tag", {"image": "shop:MAIN"}),
    ],
)
def test_each_rule_refuses(rule: str, service: dict[str, Any]) -> None:
    assert {item.rule for item in check(service)} == {rule}


@pytest.mark.parametrize(
    "service",
    [
        {"cap_add": ["NET_BIND_SERVICE", "CAP_CHOWN"]},
        {"security_opt": ["no-new-privileges:true"]},
        {"volumes": ["/srv/app/conf:/conf:ro", "pgdata:/data", "/anonymous"]},
        {"network_mode": "service:db"},
        {"image": "shop@sha256:" + "0" * 64},
        {"image": "registry:5000/shop:2026.11"},
        {"labels": {"com.example.berthmaster": "1"}},
    ],
)
def test_what_does_no_harm_passes(service: dict[str, Any]) -> None:
    assert check(service) == ()


def test_declared_data_and_binds_pass() -> None:
    volumes = ["/srv/app/uploads/2026:/u", "/mnt/data:/d"]

    assert check({"volumes": volumes}, name="data") == ()


def test_a_folder_above_a_declared_bind_is_not_declared() -> None:
    assert [item.rule for item in check({"volumes": ["/mnt:/d"]}, name="data")] == ["absolute_bind"]


@pytest.mark.parametrize(
    "volume",
    [
        {"driver_opts": {"type": "none", "o": "bind", "device": "/etc"}},
        {"driver": "vieux/sshfs"},
    ],
)
def test_a_volume_that_is_a_bind_in_disguise_is_refused(volume: dict[str, Any]) -> None:
    found = check({"volumes": ["etc:/x"]}, volumes={"etc": volume})

    assert [(item.service, item.rule) for item in found] == [("", "volume_driver")]


def test_a_secret_file_outside_the_app_is_refused() -> None:
    found = check({"secrets": ["key"]}, secrets={"key": {"file": "/etc/shadow"}})

    assert [item.rule for item in found] == ["outside_file"]


def test_a_relaxed_environment_may_build_write_and_use_any_tag() -> None:
    service = {"image": "shop:latest", "volumes": ["/srv/app/src:/app"]}

    assert check(service, environment="dev") == ()


def test_a_relaxed_environment_is_no_more_privileged() -> None:
    assert [item.rule for item in check({"privileged": True}, environment="dev")] == ["privileged"]


def test_a_tag_that_a_person_named_is_accepted() -> None:
    model = {"services": {"web": {"image": "shop:edge"}}}

    assert check_policy(model, (), SPEC, "prod", frozenset({"web"})) == ()


def test_a_replaced_service_is_not_looked_at() -> None:
    model = {"services": {"caddy": {"image": "caddy", "privileged": True}}}
    decisions = (RoleDecision("caddy", Role.REPLACED, "test"),)

    assert check_policy(model, decisions, SPEC, "prod") == ()


def test_an_override_is_recorded_and_covers_only_its_service_and_rule() -> None:
    allowance = Allowance("web", "privileged", "the vendor's driver")
    spec = replace(SPEC, environments={"prod": replace(STRICT, allow=(allowance,))})
    model = {"services": {"web": {"image": "a:1", "privileged": True, "pid": "host"}}}

    found = check_policy(model, (), spec, "prod")

    assert {item.rule: item.is_allowed_by for item in found} == {
        "privileged": allowance,
        "host_pid": None,
    }


@pytest.mark.parametrize(("system", "environment"), STACKS)
def test_the_source_systems_pass_as_their_berth_yaml_declares_them(
    system: str, environment: str
) -> None:
    model, spec = load_model(system, environment), load_spec(system)
    decisions = guess_roles(model, spec, load_versioned(system, environment))

    assert check_policy(model, decisions, spec, environment) == ()


def test_an_undeclared_bind_mounted_database_is_refused_with_the_remedy() -> None:
    model, spec = load_model("watan", "prod"), replace(load_spec("watan"), services={})

    (found,) = check_policy(model, (RoleDecision("nginx", Role.REPLACED, ""),), spec, "prod")

    assert found.rule == "absolute_bind"
    assert "services.postgres.binds: [/mnt/data/watan/postgres]" in found.remedy


def shared(web: Any, db: Any = "data:/var/lib/postgresql/data") -> list[tuple[str, str]]:
    """Who breaks which rule when a database and an app mount these."""
    services = {
        "db": {"image": "postgres:15", "volumes": [db]},
        "web": {"image": "shop:1.2", "volumes": [web]},
    }
    decisions = (RoleDecision("db", Role.STATE, "x"), RoleDecision("web", Role.ROUTED, "x"))
    model = {"services": services, "volumes": {"data": {}, "uploads": {}}}
    return [(item.service, item.rule) for item in check_policy(model, decisions, SPEC, "dev")]


@pytest.mark.parametrize(
    "web", ["data:/d", {"type": "volume", "source": "data", "target": "/d", "read_only": False}]
)
def test_nobody_else_writes_where_a_database_keeps_its_data(web: Any) -> None:
    assert shared(web) == [("web", "shared_data")]


@pytest.mark.parametrize("web", ["data:/d:ro", "uploads:/d"])
def test_reading_a_databases_volume_and_writing_another_pass(web: str) -> None:
    assert shared(web) == []
