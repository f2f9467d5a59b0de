"""`berth init` proposes a file that parses, says why, and marks its guesses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.systems import FOLDER, PLACE, load_model

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.adapters.berthfile.read import parse_berthfile
from berthmaster.domain.spec import Role
from berthmaster.planner.policy import check_policy
from berthmaster.planner.roles import decide_roles


def propose(folder: Path, system: str, *environments: str) -> str:
    """As `init` does it, with models whose paths lie in this folder."""
    texts = {name: json.dumps(load_model(system, name)) for name in environments}
    models = {name: json.loads(text.replace(PLACE, str(folder))) for name, text in texts.items()}
    return BerthfileSpecs().propose(folder, models)


@pytest.mark.parametrize(
    ("system", "environments"),
    [
        ("statuswatch", ("prod",)),
        ("cms", ("prod", "dev")),
        ("watan", ("prod",)),
        ("sanctum", ("prod",)),
    ],
)
def test_the_proposal_parses_and_leaves_no_role_open(
    system: str, environments: tuple[str, ...]
) -> None:
    text = propose(FOLDER / system, system, *environments)

    spec = replace(parse_berthfile(text, FOLDER / system), folder=PLACE)
    decisions = decide_roles(load_model(system, "prod"), spec, "prod")
    written = BerthfileSpecs().read(FOLDER / system)
    expected = decide_roles(load_model(system, "prod"), written, "prod", frozenset())
    assert {item.service for item in decisions} == set(spec.services)
    assert {item.service: item.role for item in decisions if item.role is Role.STATE} == {
        item.service: item.role for item in expected if item.role is Role.STATE
    }


def test_the_proposal_of_statuswatch_reads_like_this() -> None:
    text = propose(FOLDER / "statuswatch", "statuswatch", "prod")

    assert text.splitlines()[2:] == [
        "app: statuswatch",
        "",
        "routes:",
        "  - {path: /, service: web, port: 8000, ready: /health/}  # guess: publishes port 8000",
        "",
        "services:",
        "  beat: {role: single}  # its tag is IMAGE_TAG, runs `celery beat`",
        "  caddy: {role: replaced}  # reverse proxy caddy:2 publishing 80 and 443:"
        " the gateway stands in",
        "  # To keep it behind the router instead, delete the line above and make this",
        "  # the only route: {path: /, service: caddy, port: 80}",
        "  db: {role: state}  # third-party image postgres:16, data in volume pgdata",
        "  redis: {role: state}  # third-party image redis:7, without a volume:"
        " what it holds in memory is data too",
        "  web: {role: routed}  # its tag is IMAGE_TAG, publishes port 8000",
        "  worker: {role: consumer}  # its tag is IMAGE_TAG, runs `celery worker`",
        "",
        "environments:",
        "  prod: {compose: [compose.yaml, docker-compose.production.yml],"
        " hosts: [statuswatch.localhost]}  # guess: write your host names",
    ]


def test_absolute_binds_are_written_out_so_that_the_policy_is_content() -> None:
    text = propose(FOLDER / "watan", "watan", "prod")
    spec = replace(parse_berthfile(text, FOLDER / "watan"), folder=PLACE)
    model = load_model("watan", "prod")

    assert "postgres: {role: state, binds: [/mnt/data/watan/postgres]}" in text
    assert check_policy(model, decide_roles(model, spec, "prod"), spec, "prod") == ()


def test_the_frontend_answers_everything_and_the_backend_api() -> None:
    spec = parse_berthfile(propose(FOLDER / "cms", "cms", "prod", "dev"), FOLDER / "cms")

    assert {route.service: route.path for route in spec.routes} == {"app": "/api", "frontend": "/"}


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"backend/manage.py": ""}, "python manage.py migrate --noinput"),
        (
            {"manage.py": "", "requirements.txt": "django_tenants==3"},
            "python manage.py migrate_schemas --noinput",
        ),
        ({"alembic.ini": ""}, "alembic upgrade head"),
        ({"web/prisma/schema.prisma": ""}, "npx prisma migrate deploy"),
        ({"bin/rails": ""}, "bin/rails db:migrate"),
        ({"artisan": ""}, "php artisan migrate --force"),
    ],
)
def test_a_migration_is_guessed_from_the_files_of_the_framework(
    tmp_path: Path, files: dict[str, str], command: str
) -> None:
    for name, content in {**files, "compose.yaml": "services: {}"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    model = {"services": {"web": {"image": "x", "build": ".", "ports": ["80:80"]}}}

    spec = parse_berthfile(BerthfileSpecs().propose(tmp_path, {"prod": model}), tmp_path)

    (job,) = spec.jobs
    assert " ".join(job.command or ()) == command
    assert (job.service, job.is_migration) == ("web", True)


@pytest.mark.parametrize(
    ("folder", "name"), [("My.App_1", "my-app"), ("42", "app"), ("Ünïcode", "n-code")]
)
def test_the_folder_gives_the_app_its_name(tmp_path: Path, folder: str, name: str) -> None:
    place = tmp_path / folder
    place.mkdir()
    (place / "compose.yaml").write_text("services: {}")

    text = BerthfileSpecs().propose(place, {"prod": {"services": {"db": {"image": "postgres:15"}}}})

    assert parse_berthfile(text, place).app == name
    assert "No service seems to take requests" in text


@pytest.mark.parametrize(
    ("image", "line"),
    [
        ("shop:${TAG:-dev}", "release_variable: TAG  # the tag of your images, set by --tag"),
        ("shop:$VERSION", "release_variable: VERSION  # the tag of your images, set by --tag"),
        ("shop:${IMAGE_TAG:?}", None),
        ("shop:1.2", None),
        ("${IMAGE}", None),
    ],
)
def test_the_variable_that_tags_the_apps_own_image_is_found(
    tmp_path: Path, image: str, line: str | None
) -> None:
    text = f'services: {{web: {{build: ., image: "{image}"}}, db: {{image: "postgres:${{PG}}"}}}}'
    (tmp_path / "compose.yaml").write_text(text)
    services = {"web": {"build": {}, "image": "shop:1"}, "db": {"image": "postgres:15"}}
    proposed = BerthfileSpecs().propose(tmp_path, {"prod": {"services": services}}).splitlines()

    found = [one for one in proposed if one.startswith("release_variable")]
    assert found == ([line] if line else [])


def test_ports_hosts_and_paths_come_from_labels_and_from_a_proxys_files(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    conf = tmp_path / "site.conf"
    conf.write_text("proxy_pass http://docs:4000;  # not of evil:99999\n")
    rule = "Host(`shop.test`) && PathPrefix(`/api`)"
    labels = {"traefik.http.routers.a.rule": rule}
    mount = {"type": "bind", "source": str(conf), "target": "/etc/nginx/conf.d/x.conf"}
    services = {
        "api": {"image": "x.test/api:1", "labels": labels},
        "docs": {"image": "x.test/docs:1"},
        "nginx": {"image": "nginx:1.27", "ports": ["80:80"], "volumes": [mount]},
    }
    text = BerthfileSpecs().propose(tmp_path, {"prod": {"services": services}})
    spec = parse_berthfile(text, tmp_path)
    assert {item.service: (item.path, item.port) for item in spec.routes} == {
        "api": ("/api", 8000),
        "docs": ("/", 4000),
    }
    assert spec.environments["prod"].hosts == ("shop.test",)


def test_ready_made_software_with_data_gets_no_route(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    data = {"type": "volume", "source": "data", "target": "/data"}
    services = {
        "blog": {"image": "ghost:5", "ports": ["2368:2368"], "volumes": [data]},
        "view": {"image": "kibana:8", "ports": ["5601:5601"]},
    }
    text = BerthfileSpecs().propose(tmp_path, {"prod": {"services": services}})
    spec = parse_berthfile(text, tmp_path)
    assert [item.service for item in spec.routes] == ["view"]
    assert spec.services["blog"].role is Role.STATE
