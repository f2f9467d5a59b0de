"""The Compose files run with plain `docker compose`, without Berthmaster, in the topology of the document."""

import http.client
import json
import os
import re
import secrets
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker
EXAMPLE = Path(__file__).parent.parent
SUFFIX = "statuswatch.localhost"
PRODUCTION = ("-f", "compose.yaml", "-f", "docker-compose.production.yml")
WITH_STRIPE = ("-f", "compose.yaml", "-f", "docker-compose.stripe.yml")
SECRETS = {
    "secret_key": "",
    "postgres_password": "",
    "stripe_secret_key": "sk_test_",
    "stripe_webhook_secret": "whsec_",
    "email_host_password": "",
}
REHEARSED = {  # nobody is charged, written to or told
    "STRIPE_TEST_MODE": "true",
    "STRIPE_PUBLIC_KEY": "pk_test_1",
    "STRIPE_PRO_PRICE_ID": "price_1",
    "EMAIL_HOST": "smtp.invalid",
    "DEFAULT_FROM_EMAIL": "noreply@example.com",
    "SENTRY_DISABLED": "true",
}
JSON = {"Content-Type": "application/json"}
MANAGE = ("run", "--rm", "-T", "web", "python", "manage.py")
UNTRUSTED = ssl.create_default_context()
UNTRUSTED.check_hostname = False
UNTRUSTED.verify_mode = ssl.CERT_NONE


class Stack:
    """One Compose project of its own name, ports and images."""

    def __init__(self, files: tuple[str, ...], **variables: str) -> None:
        self.files = files
        self.project = f"statuswatch-test-{secrets.token_hex(3)}"
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "REGISTRY": "statuswatch-test",
            "IMAGE_TAG": "v1",
            "PYTHON_IMAGE": os.environ.get("PYTHON_IMAGE", "berthmaster/python:3.11"),
            "POSTGRES_IMAGE": os.environ.get("POSTGRES_IMAGE", "berthmaster/postgres:15"),
            "REDIS_IMAGE": os.environ.get("REDIS_IMAGE", "berthmaster/redis:7"),
            "CADDY_IMAGE": os.environ.get("CADDY_IMAGE", "berthmaster/caddy:2.6"),
            "BUILD_CA": os.environ.get("PIP_CERT", "/dev/null"),
            "CHECK_INTERVAL_SECONDS": "2",
            "INTERVAL_UNIT_SECONDS": "2",
            **variables,
        }
        for name in ("WEB_PORT", "DB_PORT", "REDIS_PORT", "HTTP_PORT", "HTTPS_PORT", "STRIPE_DOUBLE_PORT"):
            self.variables[name] = str(free_port())
        self.variables["STRIPE_DOUBLE_URL"] = f"http://localhost:{self.variables['STRIPE_DOUBLE_PORT']}"

    def compose(self, *arguments: str, **variables: str) -> str:
        """Run `docker compose` on this stack."""
        command = ["docker", "compose", "-p", self.project, *self.files, *arguments]
        done = subprocess.run(
            command,
            cwd=EXAMPLE,
            env={**self.variables, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def services(self) -> dict[str, str]:
        """Return each running service with its health."""
        lines = self.compose("ps", "--format", "json").splitlines()
        return {row["Service"]: row["Health"] for row in map(json.loads, lines)}

    def get(self, host: str, path: str = "/", port: str = "WEB_PORT", **headers: str) -> tuple[int, str]:
        """Ask the published port for a host's path."""
        connection = http.client.HTTPConnection("127.0.0.1", int(self.variables[port]), timeout=10)
        if port == "HTTPS_PORT":
            plain = socket.create_connection(("127.0.0.1", int(self.variables[port])), 10)
            connection.sock = UNTRUSTED.wrap_socket(plain, server_hostname=host)
        connection.request("GET", path, headers={"Host": host, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def post(self, host: str, path: str, body: str, port: str = "WEB_PORT", **headers: str) -> tuple[int, str]:
        """Send a body to a published port."""
        connection = http.client.HTTPConnection("127.0.0.1", int(self.variables[port]), timeout=30)
        connection.request("POST", path, body=body, headers={"Host": host, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def wait_for_log(self, service: str, pattern: str) -> str:
        """Return what a service wrote, once it has."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.compose("logs", "--no-log-prefix", service)):
                return found[0]
            time.sleep(0.5)
        pytest.fail(f"{service} never wrote {pattern}\n{self.compose('logs', '--tail', '40')}")

    def wait_for(self, text: str, host: str, path: str = "/", port: str = "WEB_PORT", **headers: str) -> None:
        """Ask until the answer holds the text."""
        deadline = time.monotonic() + 100
        seen: object = None
        while time.monotonic() < deadline:
            try:
                seen = self.get(host, path, port, **headers)
                if text in seen[1]:
                    return
            except (OSError, http.client.HTTPException) as exc:
                seen = exc
            time.sleep(0.5)
        pytest.fail(f"{host}{path} never answered {text!r}, last: {seen}\n{self.compose('logs', '--tail', '20')}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module", autouse=True)
def images() -> None:
    """Build both versions as the README says."""
    for version in ("v1", "v2"):
        Stack(("-f", "compose.yaml")).compose("build", "-q", "web", IMAGE_TAG=version, APP_VERSION=version)


@pytest.fixture(scope="module")
def development() -> Iterator[Stack]:
    stack = Stack(WITH_STRIPE)
    stack.compose("build", "-q", "stripe")
    yield from running(stack)


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Stack]:
    for name, prefix in SECRETS.items():
        (tmp_path / name).write_text(prefix + secrets.token_urlsafe(48))
        (tmp_path / name).chmod(0o444)  # the directory keeps others out
    dist = tmp_path / "dist"
    dist.mkdir()
    yield from running(
        Stack(
            PRODUCTION,
            SECRETS_DIR=str(tmp_path),
            FRONTEND_DIST=str(dist),
            CADDY_TLS="internal",
            DEFAULT_TENANT_DOMAIN_SUFFIX=SUFFIX,
            ALLOWED_HOSTS=f".{SUFFIX},web",
            SSRF_ALLOWED_TARGETS="web",
            **REHEARSED,
        )
    )


def running(stack: Stack) -> Iterator[Stack]:
    """Migrate, seed and start; remove everything at the end."""
    try:
        stack.compose("up", "-d", "--wait", "db", "redis")
        stack.compose(*MANAGE, "migrate_schemas", "--noinput")
        stack.compose(*MANAGE, "seed_demo")
        stack.compose("up", "-d")
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "5")


@pytest.mark.requirement("R88")
def test_development_runs_the_five_services_and_checks_endpoints(development: Stack) -> None:
    development.wait_for("All systems operational", "acme.localhost")
    assert set(development.services()) - {"stripe"} == {"db", "redis", "web", "worker", "beat"}
    assert development.get("acme.localhost", "/health/ready/")[0] == 200


def test_an_organization_signs_up_and_buys_pro_from_the_double(development: Stack) -> None:
    """Mail by the worker, payment page and signed event by the double: nothing of it is done by the test."""
    password = "Correct-horse-7"
    signed_up = {"organization": "Bought", "email": "o@example.com", "password": password}
    status, answer = development.post("localhost", "/api/auth/register/", json.dumps(signed_up), **JSON)
    assert status == 201, answer
    link = development.wait_for_log("worker", r"/verify-email/\?token=\S+")
    assert development.get("localhost", link)[0] == 200
    credentials = json.dumps({"username": "o@example.com", "password": password})
    _, answer = development.post("bought.localhost", "/api/auth/login/", credentials, **JSON)
    session = {"Authorization": f"Bearer {json.loads(answer)['access']}"}

    status, answer = development.post(
        "bought.localhost", "/api/billing/create-checkout-session/", "{}", **JSON, **session
    )
    assert status == 201, answer
    page = json.loads(answer)["url"].removeprefix(development.variables["STRIPE_DOUBLE_URL"])
    assert "StatusWatch Pro" in development.get("localhost", page, "STRIPE_DOUBLE_PORT")[1]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert development.post("localhost", page, "card=4242424242424242", "STRIPE_DOUBLE_PORT", **form)[0] == 303
    development.wait_for('"plan":"pro"', "bought.localhost", "/api/billing/", **session)


@pytest.mark.requirement("R42", "R52", "R89", "R106", "R107", "R108", "R110", "R166")
def test_production_runs_the_six_services_behind_tls_on_demand(production: Stack) -> None:
    tenant = f"acme.{SUFFIX}"
    production.wait_for("All systems operational", tenant, port="HTTPS_PORT")
    assert set(production.services()) == {"db", "redis", "web", "worker", "beat", "caddy"}
    assert production.get(tenant, "/", "HTTP_PORT")[0] == 308
    assert production.get(SUFFIX, "/version", "HTTPS_PORT") == (200, '{"version": "v1"}')
    question = f"/api/internal/validate-domain/?domain={tenant}"
    assert production.get(tenant, question, "HTTPS_PORT")[0] == 404
    with pytest.raises(ssl.SSLError):
        production.get(f"nobody.{SUFFIX}", "/", "HTTPS_PORT")
    with pytest.raises(OSError, match="refused"):
        production.get(tenant, "/", "WEB_PORT")

    production.compose(*MANAGE, "migrate_schemas", "--noinput", IMAGE_TAG="v2")
    assert production.get(tenant, "/health/ready/", "HTTPS_PORT")[0] == 200  # v1 on the schema of v2
    production.compose("up", "-d", IMAGE_TAG="v2")
    production.wait_for('"v2"', tenant, "/version", port="HTTPS_PORT")
    production.wait_for('class="since"', tenant, port="HTTPS_PORT")
    check_that_a_built_frontend_is_served_at_once(production, tenant)
    logs = production.compose("logs")
    for name in SECRETS:
        assert (Path(production.variables["SECRETS_DIR"]) / name).read_text() not in logs


def check_that_a_built_frontend_is_served_at_once(production: Stack, host: str) -> None:
    """Until there is one the application's own pages answer; then it needs no restart."""
    dist = Path(production.variables["FRONTEND_DIST"])
    (dist / "assets").mkdir()
    (dist / "assets" / "app-1a2b3c4d.js").write_text("script")
    (dist / "index.html").write_text("the frontend")
    for path in ("/", "/app/endpoints/7"):
        assert production.get(host, path, "HTTPS_PORT") == (200, "the frontend")
    assert production.get(host, "/assets/app-1a2b3c4d.js", "HTTPS_PORT") == (200, "script")
    assert production.get(host, "/assets/app-gone.js", "HTTPS_PORT")[0] == 404
    assert '"organization": "Acme"' in production.get(host, "/api/status/", "HTTPS_PORT")[1]
    for path in (f"/api/internal/validate-domain/?domain={host}", "/metrics", "/metrics/"):
        assert production.get(host, path, "HTTPS_PORT")[0] == 404
    assert production.get(host, "/version", "HTTPS_PORT") == (200, '{"version": "v2"}')
