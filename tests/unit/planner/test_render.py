"""The models of a release: names, addresses, files, what is dropped, and no secret in them.

`UPDATE_GOLDEN=1 pytest` of this file writes the golden texts anew.
"""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.systems import STACKS, load_env, load_model, load_spec, load_versioned

from berthmaster.domain.errors import Bug, InvalidSpec, NoAddressLeft
from berthmaster.domain.names import StackId
from berthmaster.domain.release import ImagePin, network_in
from berthmaster.domain.spec import (
    AppSpec,
    EnvironmentSpec,
    JobSpec,
    Role,
    RouteSpec,
    ServiceSpec,
)
from berthmaster.planner.render import Rendered, RenderInputs, render_release, with_environment
from berthmaster.planner.roles import RoleDecision, guess_roles

GOLDEN = Path(__file__).parents[2] / "golden" / "render"
FILES = "/var/lib/berthmaster/releases/shop-prod/r7"


def system_inputs(system: str, environment: str, engine_major: int = 20) -> RenderInputs:
    model, spec, stack = (
        load_model(system, environment),
        load_spec(system),
        StackId(system, environment),
    )
    return RenderInputs(
        stack=stack,
        number=7,
        spec=spec,
        model=model,
        decisions=guess_roles(model, spec, load_versioned(system, environment)),
        network=network_in(f"{stack.release_project(7)}-net", "10.201.7.0/27"),
        stack_network=network_in(f"{stack.project}-state", "10.201.0.0/27"),
        folder=f"/var/lib/berthmaster/releases/{stack.project}/r7",
        engine_major=engine_major,
        pins={
            name: ImagePin(item.get("image", name), f"{name}@sha256:{'0' * 64}", "sha256:1")
            for name, item in model["services"].items()
        },
        users={"web": "10001:10001", "postgres": "postgres"},
        variables=load_env(system, environment),
    )


def inputs(services: dict[str, Any], roles: dict[str, Role], **more: Any) -> RenderInputs:
    model = {"name": "shop-prod", "services": services, **more.pop("model", {})}
    spec = AppSpec("shop", "/srv/app", {"prod": EnvironmentSpec("prod", ("compose.yaml",))})
    return RenderInputs(
        stack=StackId("shop", "prod"),
        number=7,
        spec=replace(spec, **more.pop("spec", {})),
        model=model,
        decisions=tuple(RoleDecision(name, role, "test") for name, role in roles.items()),
        network=network_in("shop-prod-r7-net", "10.201.7.0/29"),
        stack_network=network_in("shop-prod-state", "10.201.0.0/29"),
        folder=FILES,
        engine_major=more.pop("engine_major", 28),
        **more,
    )


def as_text(rendered: Rendered) -> str:
    return json.dumps([rendered.model, rendered.state_model], indent=1, sort_keys=True)


def describe(rendered: Rendered) -> str:
    """Everything but the sealed values, for the golden files."""
    facts = ("services", "routes", "jobs", "volumes", "dropped", "two_writers", "notes", "files")
    lines = [f"{fact}:\n" + "\n".join(f"  {x}" for x in getattr(rendered, fact)) for fact in facts]
    sealed = {key: sorted(values) for key, values in rendered.environment.items()}
    return "\n".join([as_text(rendered), *lines, "sealed names:", json.dumps(sealed, indent=1), ""])


@pytest.mark.parametrize(("system", "environment"), STACKS)
def test_the_source_systems_render_as_recorded(system: str, environment: str) -> None:
    path = GOLDEN / f"{system}-{environment}.txt"
    found = describe(render_release(system_inputs(system, environment)))

    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found)
    assert found == path.read_text()


@pytest.mark.parametrize(("system", "environment"), STACKS)
def test_no_planted_secret_is_left_in_anything_but_the_sealed_values(
    system: str, environment: str
) -> None:
    rendered = render_release(system_inputs(system, environment))

    assert "planted" not in describe(rendered) + repr(rendered)
    assert "planted" not in repr(system_inputs(system, environment))


@pytest.mark.parametrize(("system", "environment"), STACKS)
def test_values_come_back_just_as_compose_rendered_them(system: str, environment: str) -> None:
    given_ = system_inputs(system, environment)
    rendered = render_release(given_)

    complete = {
        **with_environment(rendered.model, rendered.environment)["services"],
        **with_environment(rendered.state_model, rendered.environment)["services"],
    }

    for service in rendered.services:
        for key in service.compose_services if service.role is not Role.JOB else ():
            source = given_.model["services"][service.name]
            assert complete[key].get("environment", {}) == source.get("environment", {})
            assert complete[key].get("command") == source.get("command")


@pytest.mark.requirement("R379")
@pytest.mark.parametrize("environment", ["prod", "stage"])
def test_no_published_port_survives_in_a_strict_environment(environment: str) -> None:
    for system, name in STACKS:
        if name == environment:
            rendered = render_release(system_inputs(system, name))
            assert '"ports"' not in as_text(rendered)


def test_a_missing_value_is_a_bug_and_not_an_empty_setting() -> None:
    rendered = render_release(system_inputs("cms", "prod"))

    with pytest.raises(Bug, match="app-r7-1: the sealed values lack DATABASE_URL, JWT_SECRET"):
        with_environment(rendered.model, {})


def test_a_plain_name_resolves_only_inside_its_release() -> None:
    rendered = render_release(inputs({"web": {"image": "x"}}, {"web": Role.ROUTED}))

    networks = rendered.model["services"]["web-r7-1"]["networks"]
    assert networks["release"] == {"aliases": ["web"], "ipv4_address": "10.201.7.2"}
    assert networks["stack"] == {}


def test_replicas_have_addresses_of_the_lower_half_and_the_limit_is_told() -> None:
    services, roles = {"web": {"image": "x", "deploy": {"replicas": 2}}}, {"web": Role.ROUTED}
    rendered = render_release(
        inputs(services, roles, spec={"routes": (RouteSpec("/", "web", 80),)})
    )

    assert [item.address for item in rendered.routes[0].upstreams] == ["10.201.7.2", "10.201.7.3"]
    with pytest.raises(NoAddressLeft, match="3 routed containers"):
        render_release(inputs({"web": {"image": "x", "scale": 3}}, roles))


def test_the_number_of_replicas_in_berth_yaml_wins_and_a_single_stays_single() -> None:
    services = {"web": {"image": "x", "deploy": {"replicas": 3}}, "beat": {"image": "x"}}
    environment = EnvironmentSpec("prod", ("c",), replicas={"web": 1, "beat": 2})
    rendered = render_release(
        inputs(
            services,
            {"web": Role.CONSUMER, "beat": Role.SINGLE},
            spec={"environments": {"prod": environment}},
        )
    )

    assert sorted(rendered.model["services"]) == ["beat-r7-1", "web-r7-1"]
    assert rendered.notes == ("beat: 2 replicas wanted, but a single runs once",)


def test_start_interval_is_kept_from_engine_25_on() -> None:
    service = {"image": "x", "healthcheck": {"test": ["CMD", "x"], "start_interval": "1s"}}
    old = render_release(inputs({"w": service}, {"w": Role.CONSUMER}, engine_major=24))
    new = render_release(inputs({"w": service}, {"w": Role.CONSUMER}, engine_major=25))

    assert "start_interval" not in as_text(old)
    assert old.notes == ("w: start_interval needs Engine 25 and is left out",)
    assert "start_interval" in as_text(new)


def test_a_job_runs_once_with_the_image_and_mounts_of_its_service() -> None:
    job = JobSpec("migrate", "web", ("python", "migrate.py"))
    service = {"image": "x", "command": ["serve"], "ports": ["80:80"], "restart": "always"}
    rendered = render_release(inputs({"web": service}, {"web": Role.ROUTED}, spec={"jobs": (job,)}))

    found = rendered.model["services"]["job-migrate-r7"]
    assert found["command"] == ["python", "migrate.py"]
    assert (found["restart"], found["healthcheck"]) == ("no", {"disable": True})
    assert found["container_name"] == "shop-prod-r7-job-migrate"
    assert found["labels"]["berthmaster.job"] == "migrate"
    assert found["networks"] == {"release": {}, "stack": {}}


def test_a_compose_service_that_is_a_job_is_run_unless_a_declared_job_stands_for_it() -> None:
    services, roles = {"setup": {"image": "x"}}, {"setup": Role.JOB}
    own = render_release(inputs(services, roles))
    declared = render_release(
        inputs(services, roles, spec={"jobs": (JobSpec("init", "setup", None),)})
    )

    assert list(own.model["services"]) == ["job-setup-r7"]
    assert list(declared.model["services"]) == ["job-init-r7"]
    assert declared.services[0].compose_services == ("job-init-r7",)


def test_read_only_binds_travel_with_the_release_and_declared_data_stays() -> None:
    volumes = [
        "/srv/app/conf/web.conf:/etc/web.conf:ro",
        "/srv/app/run.sh:/run.sh:ro",
        "/srv/app/up:/up",
    ]
    rendered = render_release(inputs({"w": {"image": "x", "volumes": volumes}}, {"w": Role.ROUTED}))

    mounts = rendered.model["services"]["w-r7-1"]["volumes"]
    assert [item["source"] for item in mounts] == [
        f"{FILES}/binds/conf+web.conf",
        f"{FILES}/binds/run.sh",
        "/srv/app/up",
    ]
    assert [(item.target, item.mode) for item in rendered.files] == [
        ("binds/conf+web.conf", 0o444),
        ("binds/run.sh", 0o555),
    ]
    assert rendered.two_writers == ("folder /srv/app/up (w)",)


def test_a_release_does_not_swallow_the_whole_folder_with_its_secrets() -> None:
    service = {"image": "x", "volumes": ["/srv/app:/app:ro"]}

    with pytest.raises(InvalidSpec, match="whole folder"):
        render_release(inputs({"w": service}, {"w": Role.ROUTED}))


@pytest.mark.requirement("R338")
@pytest.mark.parametrize(
    ("user", "image_user", "uid", "target", "mode"),
    [
        ("10001:10001", "", 10001, "secrets/10001/key", 0o400),
        (None, "app", 0, "secrets/any/key", 0o444),
        (None, "1000", 1000, "secrets/1000/key", 0o400),
        (None, "", 0, "secrets/any/key", 0o444),
        (None, "root", 0, "secrets/0/key", 0o400),
        ("root", "app", 0, "secrets/0/key", 0o400),
    ],
)
def test_a_secret_is_copied_for_the_user_that_reads_it(
    user: str | None, image_user: str, uid: int, target: str, mode: int
) -> None:
    model = {"secrets": {"key": {"file": "/srv/app/secrets/key"}}}
    service = {"image": "x", "user": user, "secrets": ["key"]}
    rendered = render_release(
        inputs({"w": service}, {"w": Role.CONSUMER}, model=model, users={"w": image_user})
    )

    (file,) = rendered.files
    assert (file.uid, file.target, file.mode, file.is_secret) == (uid, target, mode, True)
    (mount,) = rendered.model["services"]["w-r7-1"]["volumes"]
    assert (mount["target"], mount["read_only"]) == ("/run/secrets/key", True)


def test_a_secret_from_a_variable_is_carried_as_content_that_no_repr_shows() -> None:
    model = {"secrets": {"key": {"environment": "KEY"}}}
    given_ = inputs(
        {"w": {"image": "x", "secrets": ["key"]}},
        {"w": Role.CONSUMER},
        model=model,
        variables={"KEY": "planted"},
    )

    (file,) = render_release(given_).files
    assert file.content == "planted"
    assert "planted" not in repr(file)


def test_state_and_release_have_copies_of_their_own_of_what_both_read() -> None:
    service = {"image": "x", "secrets": ["key"], "volumes": ["/srv/app/c:/c:ro"]}
    given_ = inputs(
        {"db": service, "setup": service, "web": service},
        {"db": Role.STATE, "setup": Role.JOB, "web": Role.ROUTED},
        model={"secrets": {"key": {"file": "/srv/app/key"}}},
        state_folder="/var/lib/berthmaster/state",
    )
    rendered = render_release(given_)

    def sources(entry: dict[str, Any]) -> set[str]:
        return {mount["source"].rsplit("/", 2)[0] for mount in entry["volumes"]}

    assert [(item.target, item.is_state) for item in rendered.files] == [
        ("binds/c", False),
        ("binds/c", True),
        ("secrets/any/key", False),
        ("secrets/any/key", True),
    ]
    services = rendered.model["services"]
    assert all("berthmaster/releases" in name for name in sources(services["job-setup-r7"]))
    assert all("berthmaster/releases" in name for name in sources(services["web-r7-1"]))
    assert all("releases" not in name for name in sources(rendered.state_model["services"]["db"]))


@pytest.mark.requirement("R333")
def test_the_secrets_folder_of_the_environment_wins_over_the_file_of_the_compose_file() -> None:
    model = {"secrets": {"key": {"file": "/srv/app/dev.txt"}}}
    given_ = inputs(
        {"w": {"image": "x", "secrets": ["key"]}},
        {"w": Role.CONSUMER},
        model=model,
        secret_files={"key": "/srv/app/secrets/prod/key"},
    )

    assert render_release(given_).files[0].source == "/srv/app/secrets/prod/key"


def test_a_secret_that_nobody_holds_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="secret `key`"):
        render_release(inputs({"w": {"image": "x", "secrets": ["key"]}}, {"w": Role.SINGLE}))


@pytest.mark.requirement("R325")
def test_external_volumes_keep_their_name_and_others_belong_to_the_stack() -> None:
    volumes = {"old": {"external": True, "name": "legacy"}, "new": {"name": "fixed"}}
    service = {"image": "x", "volumes": ["old:/a", "new:/b:ro"]}
    rendered = render_release(
        inputs({"w": service}, {"w": Role.ROUTED}, model={"volumes": volumes})
    )

    assert {key: item["name"] for key, item in rendered.model["volumes"].items()} == {
        "new": "shop-prod_new",
        "old": "legacy",
    }
    assert rendered.volumes == ("shop-prod_new",)
    assert rendered.dropped[0].startswith("volume new: name fixed")
    assert rendered.two_writers == ("volume old (w)",)


def test_a_shared_namespace_follows_its_service_into_the_release_or_to_the_stack() -> None:
    services = {
        "web": {"image": "x"},
        "side": {"image": "x", "network_mode": "service:web"},
        "agent": {"image": "x", "network_mode": "service:db", "pid": "service:db"},
        "db": {"image": "y"},
    }
    roles = {"web": Role.ROUTED, "side": Role.CONSUMER, "agent": Role.SINGLE, "db": Role.STATE}
    found = render_release(inputs(services, roles)).model["services"]

    assert found["side-r7-1"]["network_mode"] == "service:web-r7-1"
    assert found["agent-r7-1"]["network_mode"] == "container:shop-prod-db-1"
    assert found["agent-r7-1"]["pid"] == "container:shop-prod-db-1"
    assert "networks" not in found["side-r7-1"]


def test_the_one_declared_host_port_survives_where_two_releases_do_not_collide() -> None:
    service = {"image": "x", "ports": ["25:25"]}
    spec = {"services": {"mail": ServiceSpec("mail", expose_host=True)}}

    single = render_release(inputs({"mail": service}, {"mail": Role.SINGLE}, spec=spec))
    assert single.model["services"]["mail-r7-1"]["ports"] == ["25:25"]
    with pytest.raises(InvalidSpec, match="cannot publish the same port"):
        render_release(inputs({"mail": service}, {"mail": Role.ROUTED}, spec=spec))


def test_what_is_built_must_have_a_name() -> None:
    with pytest.raises(InvalidSpec, match="w has a `build` and no `image`"):
        render_release(inputs({"w": {"build": "."}}, {"w": Role.SINGLE}))


def test_a_route_to_what_takes_no_requests_is_refused() -> None:
    spec = {"routes": (RouteSpec("/", "db", 80),)}

    with pytest.raises(InvalidSpec, match="db has the role state"):
        render_release(inputs({"db": {"image": "x"}}, {"db": Role.STATE}, spec=spec))


def test_labels_that_lead_a_proxy_past_the_gateway_are_dropped_and_that_is_listed() -> None:
    labels = {"traefik.enable": "true", "caddy": "x.test", "caddy.tls": "", "traefikless": "a"}
    services = {name: {"image": "x", "labels": labels} for name in ("w", "db")}
    rendered = render_release(inputs(services, {"w": Role.ROUTED, "db": Role.STATE}))
    found = rendered.model["services"]["w-r7-1"]["labels"]
    assert [key for key in found if key in labels] == ["traefikless"]
    assert "traefik.enable" in rendered.state_model["services"]["db"]["labels"]
    assert [line for line in rendered.dropped if "labels" in line] == [
        "w: labels caddy.*, traefik.*: a proxy that reads them would pass the gateway by"
    ]


def test_our_labels_cannot_be_spoofed_even_when_the_policy_was_overridden() -> None:
    labels = {"berthmaster.stack": "other@prod", "com.docker.compose.project": "other", "a": "b"}
    rendered = render_release(inputs({"w": {"image": "x", "labels": labels}}, {"w": Role.ROUTED}))

    found = rendered.model["services"]["w-r7-1"]["labels"]
    assert found["berthmaster.stack"] == "shop@prod"
    assert found["a"] == "b"
    assert "com.docker.compose.project" not in found


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20)
SERVICES = st.dictionaries(
    NAMES,
    st.fixed_dictionaries(
        {"image": st.just("shop:1")},
        optional={
            "environment": st.dictionaries(NAMES.map(str.upper), VALUES, max_size=3),
            "command": st.lists(VALUES, max_size=3),
            "ports": st.lists(st.integers(1, 65535).map(lambda port: f"{port}:{port}"), max_size=2),
            "volumes": st.lists(NAMES.map(lambda name: f"{name}:/data"), max_size=2),
            "labels": st.dictionaries(NAMES, VALUES, max_size=2),
            "healthcheck": st.just({"test": ["CMD", "true"]}),
        },
    ),
    min_size=1,
    max_size=4,
)


@given(SERVICES, st.sampled_from([Role.STATE, Role.CONSUMER, Role.SINGLE, Role.JOB]))
def test_rendering_is_deterministic_publishes_nothing_and_loses_no_value(
    services: dict[str, Any], role: Role
) -> None:
    given_ = inputs(services, dict.fromkeys(services, role))
    one, two = render_release(given_), render_release(given_)

    assert describe(one) == describe(two)
    assert '"ports"' not in as_text(one)
    complete = {
        item["labels"]["berthmaster.service"]: item
        for model in (one.model, one.state_model)
        for item in with_environment(model, one.environment)["services"].values()
    }
    for name, service in services.items():
        assert complete[name].get("environment", {}) == service.get("environment", {})
        assert complete[name].get("command") == service.get("command")


def test_a_password_of_one_service_is_hidden_in_the_command_of_another() -> None:
    services: dict[str, dict[str, Any]] = {
        "cache": {"image": "x", "command": ["--requirepass", "planted-one", "planted-two"]},
        "a": {"image": "x", "environment": {"REDIS_PASSWORD": "planted-one"}},
        "b": {"image": "x", "environment": {"REDIS_PASSWORD": "planted-two"}},
    }
    rendered = render_release(inputs(services, dict.fromkeys(services, Role.STATE)))

    assert "planted" not in as_text(rendered)
    complete = with_environment(rendered.state_model, rendered.environment)
    assert complete["services"]["cache"]["command"] == services["cache"]["command"]


@given(st.lists(st.sampled_from(["secret", "SWORD", "aSWORDb", "{{secret", "DB_PASS"]), min_size=1))
def test_values_that_look_like_placeholders_come_back_too(values: list[str]) -> None:
    names = {f"DB_PASSWORD{number}": value for number, value in enumerate(values)}
    service = {"image": "x", "environment": names, "command": [*values, "".join(values)]}
    rendered = render_release(inputs({"w": service}, {"w": Role.SINGLE}))

    complete = with_environment(rendered.model, rendered.environment)
    assert complete["services"]["w-r7-1"]["command"] == service["command"]


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=12, max_size=30))
def test_a_secret_value_is_in_no_rendered_model(value: str) -> None:
    service = {
        "image": "shop:1",
        "environment": {"DB_PASSWORD": value, "URL": f"postgres://u:{value}@db"},
        "command": ["serve", f"--password={value}"],
        "healthcheck": {"test": ["CMD-SHELL", f"ping -a {value}"]},
        "labels": {"note": value},
    }
    rendered = render_release(inputs({"web": service}, {"web": Role.ROUTED}))

    assert value not in as_text(rendered)


def hosted(hosts: tuple[str, ...], of_route: tuple[str, ...], *more: RouteSpec) -> Rendered:
    environment = EnvironmentSpec("prod", ("compose.yaml",), hosts=hosts)
    routes = (RouteSpec("/", "web", 8000, hosts=of_route), *more)
    spec = {"environments": {"prod": environment}, "routes": routes}
    return render_release(inputs({"web": {"image": "web"}}, {"web": Role.ROUTED}, spec=spec))


def test_a_route_keeps_those_of_its_hosts_that_the_environment_has() -> None:
    wanted = ("api.shop.test", "api.stage.test", "x.shop.test")
    rendered = hosted(("shop.test", "*.shop.test"), wanted, RouteSpec("/web", "web", 8000))
    assert [route.hosts for route in rendered.routes] == [("api.shop.test", "x.shop.test"), ()]
    assert rendered.notes == ()


def test_a_route_without_a_host_of_the_environment_is_refused() -> None:
    with pytest.raises(InvalidSpec, match=r"api\.stage\.test.* is one of prod.* has shop\.test;"):
        hosted(("shop.test",), ("api.stage.test",))


def test_a_host_that_no_route_answers_is_noted() -> None:
    rendered = hosted(("shop.test", "www.shop.test"), ("shop.test",))
    assert rendered.notes == ("www.shop.test: no route answers it",)
