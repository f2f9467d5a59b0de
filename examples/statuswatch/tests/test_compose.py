"""The Compose files run with plain `docker compose`, without Berthmaster, in the topology of the document."""

import http.client
import json
import os
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
        for name in ("WEB_PORT", "DB_PORT", "REDIS_PORT", "HTTP_PORT", "HTTPS_PORT"):
            self.variables[name] = str(free_port())

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

    def get(self, host: str, path: str = "/", port: str = "WEB_PORT") -> tuple[int, str]:
        """Ask the published port for a host's path."""
        connection = http.client.HTTPConnection("127.0.0.1", int(self.variables[port]), timeout=10)
        if port == "HTTPS_PORT":
            plain = socket.create_connection(("127.0.0.1", int(self.variables[port])), 10)
            connection.sock = UNTRUSTED.wrap_socket(plain, server_hostname=host)
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def wait_for(self, text: str, host: str, path: str = "/", port: str = "WEB_PORT") -> None:
        """Ask until the answer holds the text."""
        deadline = time.monotonic() + 100
        seen: object = None
        while time.monotonic() < deadline:
            try:
                seen = self.get(host, path, port)
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


@pytest.fixture
def development() -> Iterator[Stack]:
    yield from running(Stack(("-f", "compose.yaml")))


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Stack]:
    for name, prefix in SECRETS.items():
        (tmp_path / name).write_text(prefix + secrets.token_urlsafe(48))
        (tmp_path / name).chmod(0o444)  # the directory keeps others out
    yield from running(
        Stack(
            PRODUCTION,
            SECRETS_DIR=str(tmp_path),
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
    assert set(development.services()) == {"db", "redis", "web", "worker", "beat"}
    assert development.get("acme.localhost", "/health/ready/")[0] == 200


@pytest.mark.requirement("R42", "R52", "R89", "R107", "R110")
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
    logs = production.compose("logs")
    for name in SECRETS:
        assert (Path(production.variables["SECRETS_DIR"]) / name).read_text() not in logs
