"""StatusWatch in production's form, for `scripts/bench statuswatch`: as plain Compose runs it."""

import asyncio
import http.client
import json
import os
import re
import secrets
import socket
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.scenario.commands import docker, end, start

from bench.target import free_port

EXAMPLE = Path(__file__).parent.parent / "examples" / "statuswatch"
SUFFIX = "statuswatch.localhost"
SEED = """
import json
from django.contrib.auth.models import User
from django.db import connection, transaction
from django_tenants.utils import tenant_context
from accounts.models import ApiToken
from monitors.models import Endpoint
from tenants.models import Client, Domain
def make(name, host):
    client = Client(schema_name=name, name=name.capitalize(), subscription_status="pro")
    with transaction.atomic():
        client.save(verbosity=0)
        Domain.objects.create(domain=host, tenant=client, is_primary=True)
    return client
make("public", "SUFFIX")
told = []
for number in range(ORGANIZATIONS):
    client = make(f"org{number}", f"org{number}.SUFFIX")
    with tenant_context(client):
        user = User.objects.create_user("bench")
        urls = [f"TARGET/{number}/{n}" for n in range(EACH)]
        rows = [Endpoint(name=url, url=url, interval_minutes=1) for url in urls]
        Endpoint.objects.bulk_create(rows)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO monitors_checkresult"
                " (endpoint_id, status, latency_ms, checked_at, in_maintenance)"
                " SELECT id, '200', 20 + (random() * 80)::int,"
                " now() - n * interval '1 minute', false"
                " FROM monitors_endpoint, generate_series(1, 1440) n"
            )
        told.append([f"org{number}.SUFFIX", ApiToken.issue(user, "bench")[1], str(rows[0].pk)])
with connection.cursor() as cursor:
    cursor.execute("ANALYZE")
print("TOLD" + json.dumps(told))
"""
OVERLAY = """
services:
  web:
    ports: !override ["127.0.0.1:{port}:8000"]
  caddy:
    profiles: [unused]
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a candidate has used so far."""

    memory_mb: float
    cpu_seconds: float


class Statuswatch:
    """The example as a Compose project of its own."""

    def __init__(self, folder: Path) -> None:
        self.project = f"bench-sw-{secrets.token_hex(3)}"
        self.port = free_port()
        self.services = ("db", "redis", "web", "worker", "beat")
        (folder / "overlay.yml").write_text(OVERLAY.format(port=self.port))
        for name, prefix in (
            ("secret_key", ""),
            ("postgres_password", ""),
            ("stripe_secret_key", "sk_test_"),
            ("stripe_webhook_secret", "whsec_"),
            ("email_host_password", ""),
        ):
            (folder / name).write_text(prefix + secrets.token_urlsafe(48))
            (folder / name).chmod(0o444)
        folder.chmod(0o755)
        files = ("compose.yaml", "docker-compose.production.yml", str(folder / "overlay.yml"))
        self.common = [
            "docker",
            "compose",
            "-p",
            self.project,
            "--env-file",
            str(EXAMPLE / ".env.example"),
        ]
        self.common += ["--project-directory", str(EXAMPLE)]
        self.words = [
            *self.common,
            *(word for file in files for word in ("-f", str(EXAMPLE / file))),
        ]
        self.environment = {
            "REGISTRY": "statuswatch-bench",
            "IMAGE_TAG": "v1",
            "PYTHON_IMAGE": "berthmaster/python:3.11",
            "BUILD_CA": os.environ.get(
                "BERTHMASTER_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt"
            ),
            "SECRETS_DIR": str(folder),
            "ENFORCE_HTTPS": "false",
            "API_RATE_LIMITING_ENABLED": "false",
            "DB_PORT": str(free_port()),
            "REDIS_PORT": str(free_port()),
            "LOG_LEVEL": "WARNING",
        }

    async def compose(self, *words: str) -> str:
        """Run Compose; raises RuntimeError when it fails."""
        ended = await end(await start(*self.words, *words, env=self.environment), seconds=300)
        if ended.code:
            raise RuntimeError(f"{' '.join(words)[:80]}: {ended.said[-2000:]}")
        return ended.out

    async def prepare(self) -> str:
        """Build, migrate; return the address at which containers see this process."""
        build = [*self.common, "-f", str(EXAMPLE / "compose.yaml"), "build", "-q", "web"]
        ended = await end(await start(*build, env=self.environment), seconds=300)
        if ended.code:
            raise RuntimeError(ended.said[-2000:])
        await self.compose("up", "-d", "--wait", "db", "redis")
        await self.manage("migrate_schemas", "--noinput")
        shown = await docker("network", "inspect", f"{self.project}_default")
        return str(json.loads(shown)[0]["IPAM"]["Config"][0]["Gateway"])

    async def manage(self, *words: str) -> str:
        """Run a management command."""
        return await self.compose("run", "--rm", "-T", "web", "python", "manage.py", *words)

    async def seed(self, target: str, organizations: int, each: int) -> list[list[str]]:
        """Make what is checked; return host, key and one endpoint of each organization."""
        text = SEED.replace("SUFFIX", SUFFIX).replace("TARGET", target)
        text = text.replace("ORGANIZATIONS", str(organizations)).replace("EACH", str(each))
        out = await self.manage("shell", "--no-imports", "-c", text)
        found: list[list[str]] = json.loads(re.findall(r"^TOLD(.*)$", out, re.MULTILINE)[0])
        return found

    async def usage(self) -> Usage:
        """Sum of all five containers."""
        ids = (await self.compose("ps", "-q", *self.services)).split()
        told = [await asyncio.to_thread(_container_stats, one) for one in ids]
        return Usage(sum(one.memory_mb for one in told), sum(one.cpu_seconds for one in told))

    async def remove(self) -> None:
        """Take everything away."""
        await end(
            await start(*self.words, "down", "-v", "-t", "3", env=self.environment), seconds=120
        )


class _Socket(http.client.HTTPConnection):
    """Docker's API over its socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect("/var/run/docker.sock")


def _container_stats(container: str) -> Usage:
    with closing(_Socket("docker")) as connection:
        connection.request("GET", f"/containers/{container}/stats?stream=false&one-shot=true")
        told = json.loads(connection.getresponse().read())
    cache = told["memory_stats"]["stats"].get("inactive_file", 0)
    used = told["memory_stats"]["usage"] - cache
    return Usage(used / 2**20, told["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9)
