"""Every service of the four source systems gets the right role, for the right reason."""

from dataclasses import replace
from typing import Any

import pytest
from tests.systems import load_model, load_spec, load_versioned

from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.spec import AppSpec, EnvironmentSpec, Role, RouteSpec, ServiceSpec
from berthmaster.planner.roles import RoleDecision, decide_roles, guess_roles

IN_MEMORY = "without a volume: what it holds in memory is data too"
STATUSWATCH = {
    "beat": ("single", "its tag is IMAGE_TAG, runs `celery beat`"),
    "db": ("state", "third-party image postgres:16, data in volume pgdata"),
    "redis": ("state", f"third-party image redis:7, {IN_MEMORY}"),
    "web": ("routed", "berth.yaml routes to it"),
    "worker": ("consumer", "its tag is IMAGE_TAG, runs `celery worker`"),
}
CMS = {
    "app": ("routed", "berth.yaml routes to it"),
    "db": ("state", "third-party image postgres:15-alpine, data in volume db"),
    "frontend": ("routed", "berth.yaml routes to it"),
    "migrate": ("job", "app waits until it has completed"),
}
SANCTUM = {
    "app": ("routed", "berth.yaml routes to it"),
    "frontend": ("routed", "berth.yaml routes to it"),
    "postgres": (
        "state",
        "third-party image postgres:16.11-alpine3.23, data in volume postgres_data",
    ),
    "redis": ("state", "third-party image redis:7.4.7-alpine, data in volume redis_data"),
}
EXPECTED: dict[tuple[str, str], dict[str, tuple[str, str]]] = {
    ("statuswatch", "prod"): {
        **STATUSWATCH,
        "caddy": (
            "replaced",
            "reverse proxy caddy:2 publishing 80 and 443: the gateway stands in",
        ),
    },
    ("statuswatch", "dev"): {
        **STATUSWATCH,
        "mod_api": ("routed", "is built from this app, publishes port 8000"),
        "mod_beat": ("single", "is built from this app, runs `celery beat`"),
        "mod_db": ("state", "third-party image postgres:16, data in a bind mount"),
        "mod_redis": ("state", "third-party image redis:7, data in a bind mount"),
        "mod_worker": ("consumer", "is built from this app, runs `celery worker`"),
    },
    ("cms", "prod"): CMS,
    ("cms", "dev"): CMS,
    ("watan", "prod"): {
        "backend": ("routed", "berth.yaml routes to it"),
        "djangoo": ("routed", "berth.yaml routes to it"),
        "frontend": ("routed", "berth.yaml routes to it"),
        "nginx": (
            "replaced",
            "reverse proxy nginx:1.27-alpine publishing 80 and 443: the gateway stands in",
        ),
        "poller": ("single", "berth.yaml says so"),
        "postgres": ("state", "third-party image postgres:15-alpine, data in a bind mount"),
        "redis": ("state", f"third-party image redis:7-alpine, {IN_MEMORY}"),
    },
    ("sanctum", "prod"): SANCTUM,
    ("sanctum", "stage"): {
        **SANCTUM,
        "gateway": ("replaced", "reverse proxy nginx:1.27-alpine publishing 8081:80"),
    },
}


@pytest.mark.parametrize(("system", "environment"), EXPECTED)
def test_every_service_has_its_role_and_reason(system: str, environment: str) -> None:
    decisions = guess_roles(
        load_model(system, environment), load_spec(system), load_versioned(system, environment)
    )

    found = {item.service: (item.role.value, item.reason) for item in decisions}
    assert found == EXPECTED[system, environment]


def test_only_the_stage_gateway_is_unclear() -> None:
    unclear = [
        (system, environment, item.service)
        for system, environment in EXPECTED
        for item in guess_roles(
            load_model(system, environment),
            load_spec(system),
            load_versioned(system, environment),
        )
        if item.is_ambiguous
    ]

    assert unclear == [("sanctum", "stage", "gateway")]


def app(strict: bool = True, **roles: Role) -> AppSpec:
    return AppSpec(
        app="shop",
        folder="/srv/app",
        environments={"prod": EnvironmentSpec("prod", ("compose.yaml",), is_strict=strict)},
        services={name: ServiceSpec(name, role=role) for name, role in roles.items()},
    )


def decide(strict: bool = False, **services: dict[str, Any]) -> dict[str, RoleDecision]:
    decisions = decide_roles({"services": services}, app(strict), "prod")
    return {item.service: item for item in decisions}


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("celery -A app worker -l info", Role.CONSUMER),
        ("celery -A app worker -B", Role.SINGLE),
        ("celery -A app beat", Role.SINGLE),
        ("python -m celery -A app worker --concurrency 2", Role.CONSUMER),
        ("rq worker default", Role.CONSUMER),
        ("python manage.py rqworker", Role.CONSUMER),
        ("rqscheduler --host redis", Role.SINGLE),
        ("bundle exec sidekiq -C config/sidekiq.yml", Role.CONSUMER),
        ("huey_consumer app.huey", Role.CONSUMER),
        ("dramatiq app.tasks", Role.CONSUMER),
        ("arq app.Settings", Role.CONSUMER),
        ("cron -f", Role.SINGLE),
        ("/usr/sbin/crond -f", Role.SINGLE),
        ("supercronic /etc/crontab", Role.SINGLE),
        ("php artisan schedule:work", Role.SINGLE),
        ("php artisan queue:work --tries=3", Role.CONSUMER),
        ("python -m apscheduler.run", Role.SINGLE),
        ("gunicorn app.wsgi", Role.ROUTED),
    ],
)
def test_known_commands_are_recognised(command: str, role: Role) -> None:
    found = decide(it={"build": {"context": "."}, "command": command.split()})

    assert (found["it"].role, found["it"].is_ambiguous) == (role, False)


def test_the_command_in_the_entrypoint_and_in_short_syntax_counts_too() -> None:
    found = decide(
        one={"build": ".", "entrypoint": ["celery"], "command": ["-A", "app", "worker"]},
        two={"build": ".", "command": "celery -A app beat"},
    )

    assert [found[name].role for name in ("one", "two")] == [Role.CONSUMER, Role.SINGLE]


def test_an_app_service_that_another_one_calls_takes_requests() -> None:
    found = decide(
        api={"build": "."},
        bff={"build": ".", "ports": ["8000:8000"], "environment": ["API=http://api:9000/v1"]},
    )

    assert found["api"].role is Role.ROUTED
    assert found["api"].reason.endswith("bff calls it (takes requests inside the release)")


def test_a_name_inside_another_word_is_no_call() -> None:
    found = decide(
        api={"build": "."}, bff={"build": ".", "ports": ["80:80"], "environment": ["A=myapi:9000"]}
    )

    assert found["api"].is_ambiguous


def test_a_published_database_port_is_no_http() -> None:
    found = decide(mail={"build": ".", "ports": ["25:25"]})

    assert found["mail"].is_ambiguous


def test_a_database_that_the_app_builds_is_never_doubled_by_a_guess() -> None:
    volume = {"type": "volume", "source": "pg", "target": "/var/lib/postgresql/data"}
    found = decide(db={"build": ".", "volumes": [volume]}, redis={"image": "redis", "build": "."})

    assert {item.role for item in found.values()} == {Role.STATE}
    assert all(item.is_ambiguous for item in found.values())


def test_an_image_of_the_same_repository_belongs_to_the_app() -> None:
    found = decide(
        web={"image": "hub/x/web:1", "build": ".", "ports": ["8000:8000"]},
        worker={"image": "hub/x/web:2", "command": "rq worker"},
    )

    assert found["worker"] == RoleDecision(
        "worker", Role.CONSUMER, "has the image of web, runs `rq worker`"
    )


def test_a_third_party_image_that_others_wait_for_is_a_job() -> None:
    waits = {"setup": {"condition": "service_completed_successfully"}}
    found = decide(setup={"image": "minio/mc"}, web={"image": "x", "depends_on": waits})

    assert found["setup"].role is Role.JOB


def test_a_proxy_that_berth_yaml_routes_to_is_kept_behind_the_router() -> None:
    spec = replace(app(), routes=(RouteSpec("/", "caddy", 80),))
    model = {"services": {"caddy": {"image": "caddy:2.6", "ports": ["80:80"]}}}

    assert decide_roles(model, spec, "prod")[0].role is Role.ROUTED


def test_a_strict_environment_asks_for_all_unclear_roles_at_once() -> None:
    with pytest.raises(InvalidSpec) as caught:
        decide(strict=True, one={"build": "."}, worker={"build": "."})

    assert "services.one.role: single" in caught.value.message
    assert "services.worker.role: consumer" in caught.value.message


def test_a_written_role_ends_the_doubt() -> None:
    model = {"services": {"one": {"build": "."}}}

    assert decide_roles(model, app(one=Role.CONSUMER), "prod") == (
        RoleDecision("one", Role.CONSUMER, "berth.yaml says so"),
    )


def test_a_route_to_a_service_that_does_not_exist_is_refused() -> None:
    spec = replace(app(), routes=(RouteSpec("/", "wbe", 80),))

    with pytest.raises(InvalidSpec, match="routes names `wbe`"):
        decide_roles({"services": {"web": {"image": "x"}}}, spec, "prod")
