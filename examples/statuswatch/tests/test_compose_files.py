"""What the Compose files say, as `docker compose config` reads them; nothing is started."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker  # the client only
EXAMPLE = Path(__file__).parent.parent
VARIABLES_OF_THE_DOCUMENT = """
DJANGO_ENV DEBUG SECRET_KEY DATABASE_URL DB_CONN_MAX_AGE REDIS_URL DEFAULT_TENANT_DOMAIN_SUFFIX ALLOWED_HOSTS
CSRF_TRUSTED_ORIGINS CORS_ALLOWED_ORIGINS ENFORCE_HTTPS SECURE_HSTS_SECONDS SECURE_HSTS_INCLUDE_SUBDOMAINS
SECURE_HSTS_PRELOAD USE_X_FORWARDED_HOST SECURE_PROXY_SSL_HEADER STRIPE_PUBLIC_KEY STRIPE_SECRET_KEY
STRIPE_WEBHOOK_SECRET STRIPE_PRO_PRICE_ID EMAIL_HOST EMAIL_PORT EMAIL_USE_TLS EMAIL_HOST_USER EMAIL_HOST_PASSWORD
DEFAULT_FROM_EMAIL SERVER_EMAIL FRONTEND_URL SENTRY_DSN SENTRY_ENVIRONMENT SENTRY_TRACES_SAMPLE_RATE SENTRY_RELEASE
CELERY_BROKER_URL CELERY_RESULT_BACKEND PENDING_REQUEUE_GRACE_SECONDS LOG_TO_FILE LOG_DIR IMAGE_TAG
""".split()


def render(*files: str, **variables: str) -> dict[str, dict[str, object]]:
    """Return the services that Compose makes of the files, of .env.example and of variables."""
    chosen = [word for file in files for word in ("-f", file)]
    command = ["docker", "compose", "--env-file", ".env.example", *chosen, "config", "--format", "json"]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
    done = subprocess.run(command, cwd=EXAMPLE, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["services"]


@pytest.fixture(scope="module")
def development() -> dict[str, dict[str, object]]:
    return render("compose.yaml")


@pytest.fixture(scope="module")
def production() -> dict[str, dict[str, object]]:
    return render("compose.yaml", "docker-compose.production.yml")


@pytest.fixture(scope="module")
def rehearsed() -> dict[str, dict[str, object]]:
    return render("compose.yaml", "docker-compose.production.yml", "docker-compose.mod.yml")


Services = dict[str, dict[str, object]]
MOD = {"mod_api": "web", "mod_worker": "worker", "mod_beat": "beat", "mod_db": "db", "mod_redis": "redis"}
# What a rehearsal must not have in common with production, or must not do to the outside.
OWN = {
    *"ALLOWED_HOSTS CACHE_URL CELERY_BROKER_URL CELERY_RESULT_BACKEND POSTGRES_DB POSTGRES_HOST REDIS_URL".split(),
    *"EMAIL_HOST ENFORCE_HTTPS SENTRY_ENVIRONMENT SSRF_ALLOWED_TARGETS STRIPE_API_BASE STRIPE_PRO_PRICE_ID".split(),
    *"STRIPE_PUBLIC_KEY STRIPE_SECRET_KEY STRIPE_SECRET_KEY_FILE STRIPE_WEBHOOK_SECRET".split(),
    "STRIPE_WEBHOOK_SECRET_FILE",
}


@pytest.mark.requirement("R69", "R87", "R92", "R99")
def test_djangos_server_on_a_laptop_gunicorn_in_production(development: Services, production: Services) -> None:
    assert development["web"]["command"] == ["python", "manage.py", "runserver", "0.0.0.0:8000"]
    assert production["web"]["command"] is None
    assert 'CMD ["gunicorn", "app.wsgi:application"]' in (EXAMPLE / "Dockerfile").read_text()


@pytest.mark.requirement("R73", "R74", "R96")
def test_only_production_has_a_proxy_with_tls(development: Services, production: Services) -> None:
    assert "caddy" not in development
    published = {(port["target"], port["protocol"]) for port in production["caddy"]["ports"]}
    assert published == {(80, "tcp"), (443, "tcp"), (443, "udp")}  # trap 10: not 2019
    assert "on_demand" in (EXAMPLE / "caddy/Caddyfile").read_text()


def test_the_proxy_serves_no_folder_that_it_cannot_see(production: Services) -> None:
    served = re.findall(r"^\s*root \S+ (\S+)", (EXAMPLE / "caddy/Caddyfile").read_text(), re.MULTILINE)
    mounted = [str(mount["target"]) for mount in production["caddy"]["volumes"]]
    assert [folder for folder in served if not folder.startswith(tuple(mounted))] == []


def test_the_proxys_own_api_is_for_nobody_outside(production: Services) -> None:
    assert re.search(r"^\s*admin localhost:2019$", (EXAMPLE / "caddy/Caddyfile").read_text(), re.MULTILINE)
    assert 2019 not in {port["target"] for service in production.values() for port in service.get("ports", [])}


@pytest.mark.requirement("R75", "R76", "R90", "R97", "R98")
def test_database_and_redis_lie_on_volumes(development: Services, production: Services) -> None:
    for services in (development, production):
        for name, volume in (("db", "dbdata"), ("redis", "redisdata")):
            assert [mount["source"] for mount in services[name]["volumes"]] == [volume]


@pytest.mark.requirement("R80", "R95")
def test_every_service_has_a_health_check(development: Services, production: Services) -> None:
    for services in (development, production):
        assert [name for name, service in services.items() if "healthcheck" not in service] == []


@pytest.mark.requirement("R79")
def test_production_rotates_what_goes_to_stdout(production: Services) -> None:
    for service in production.values():
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}


@pytest.mark.requirement("R86")
def test_the_tag_chooses_the_image_in_every_service(production: Services) -> None:
    images = {production[name]["image"] for name in ("web", "worker", "beat")}
    assert images == {"127.0.0.1:5000/statuswatch-web:v1"}  # traps 3 to 5: no tag is written down twice


@pytest.mark.requirement("R11", "R12")
def test_the_modular_stack_stands_beside_the_other_and_shares_nothing(rehearsed: Services) -> None:
    mod = {name: service for name, service in rehearsed.items() if name.startswith("mod_")}
    assert set(mod) == set(MOD)
    rest = [service for name, service in rehearsed.items() if name not in mod]
    assert volumes_of(mod.values()) & volumes_of(rest) == set()
    assert ports_of(mod.values()) == {"5433", "6380", "8081"}
    assert ports_of(rest) & ports_of(mod.values()) == set()
    for name in ("mod_api", "mod_worker", "mod_beat"):
        assert set(mod[name]["depends_on"]) == {"mod_db", "mod_redis"}
        servers = {"POSTGRES_HOST": "mod_db", "REDIS_URL": "redis://mod_redis:6379/0"}
        assert servers.items() <= mod[name]["environment"].items()


def test_no_two_rehearsals_collide_by_name() -> None:
    for path in EXAMPLE.glob("*compose*.y*ml"):
        assert "container_name:" not in path.read_text()  # trap 6


@pytest.mark.requirement("R10")
def test_a_rehearsal_has_productions_form_over_whatever_it_is_laid(rehearsed: Services) -> None:
    local = render("compose.yaml", "docker-compose.mod.yml")
    assert {name: local[name] for name in MOD} == {name: rehearsed[name] for name in MOD}  # trap 6
    for name in ("mod_api", "mod_worker", "mod_beat"):
        here, there = rehearsed[name], rehearsed[MOD[name]]
        for key in ("command", "healthcheck", "read_only", "cap_drop", "security_opt", "secrets", "mem_limit"):
            assert here[key] == there[key], (name, key)
        assert "build" not in here
        assert "volumes" not in here  # trap 5: no source is mounted over the image
        changed = {key for key in here["environment"] if here["environment"][key] != there["environment"].get(key)}
        assert changed <= OWN
        assert set(there["environment"]) <= set(here["environment"])


def test_what_is_rehearsed_can_be_named_by_its_digest() -> None:
    image = "127.0.0.1:5000/statuswatch-web@sha256:" + "0" * 64
    chosen = render("compose.yaml", "docker-compose.mod.yml", MOD_IMAGE=image)
    assert {chosen[name]["image"] for name in ("mod_api", "mod_worker", "mod_beat")} == {image}  # traps 3 to 5


def test_the_tag_of_the_environment_wins_and_no_file_writes_one_down() -> None:
    tagged = render("compose.yaml", "docker-compose.production.yml", IMAGE_TAG="other")
    assert {tagged[name]["image"] for name in ("web", "worker", "beat")} == {"127.0.0.1:5000/statuswatch-web:other"}
    for path in EXAMPLE.glob("*compose*.y*ml"):  # trap 4: an override file that says `edge`
        assert re.findall(r"statuswatch-web:(?!\$)", path.read_text()) == []


def test_the_double_of_stripe_is_asked_instead_of_stripe() -> None:
    for files in (("compose.yaml",), ("compose.yaml", "docker-compose.production.yml")):
        services = render(*files, "docker-compose.stripe.yml")
        assert services["web"]["environment"]["STRIPE_API_BASE"] == "http://stripe:8420"
        assert services["stripe"]["environment"]["WEBHOOK_URL"] == "http://web:8000/api/billing/webhook/"


def test_production_takes_no_secret_from_the_environment(production: Services) -> None:
    for name in ("web", "worker", "beat"):
        given = production[name]["environment"]
        named = {variable for variable in given if re.search("(PASSWORD|SECRET|SECRET_KEY)$", variable)}
        assert {variable: given[variable] for variable in named if given[variable]} == {}
        assert given["DJANGO_ENV"] == "production"


@pytest.mark.requirement("R168", "R169", "R170", "R171", "R172", "R173", "R174", "R175", "R176", "R177")
@pytest.mark.parametrize("name", VARIABLES_OF_THE_DOCUMENT)
def test_the_example_file_names_each_variable_of_the_document(name: str) -> None:
    assert re.search(rf"\b{name}\b", (EXAMPLE / ".env.example").read_text())


def test_the_example_file_names_each_variable_of_the_compose_files() -> None:
    texts = [path.read_text() for path in EXAMPLE.glob("*compose*.y*ml")]
    used = {name for text in texts for name in re.findall(r"(?<!\$)\$\{([A-Z_]+)", text)}
    set_there = set(re.findall(r"^([A-Z_]+)=", (EXAMPLE / ".env.example").read_text(), re.MULTILINE))
    assert used - set_there == set()


def test_production_starts_with_the_example_file(production: Services, tmp_path: Path) -> None:
    given = {name: value or "" for name, value in production["web"]["environment"].items()}
    for name, value in (("SECRET_KEY", "k" * 50), ("POSTGRES_PASSWORD", "p"), ("EMAIL_HOST_PASSWORD", "p")):
        (tmp_path / name).write_text(value)
    (tmp_path / "STRIPE_SECRET_KEY").write_text("sk_test_1")
    (tmp_path / "STRIPE_WEBHOOK_SECRET").write_text("whsec_1")
    files = {f"{path.name}_FILE": str(path) for path in tmp_path.iterdir()}
    assert set(files) == {name for name in given if name.endswith("_FILE")} - {"LOG_TO_FILE"}
    command = [sys.executable, "-c", "from app import settings"]
    environment = {"PATH": os.environ["PATH"], **given, **files}
    done = subprocess.run(command, cwd=EXAMPLE / "backend", env=environment, capture_output=True, text=True)
    assert done.stderr == ""


def volumes_of(services: Iterable[dict[str, object]]) -> set[str]:
    return {mount["source"] for service in services for mount in service.get("volumes", [])}


def ports_of(services: Iterable[dict[str, object]]) -> set[str]:
    return {port["published"] for service in services for port in service.get("ports", [])}
