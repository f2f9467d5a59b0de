"""1,000 endpoints each minute and the dashboard's API meanwhile: `scripts/bench statuswatch`.

StatusWatch in production's form, as plain Compose runs it: ten organizations of 100 endpoints, each
with a day of results, all checked every minute against a server of this process, while ten requests
a second ask what a dashboard asks. Takes away what it made; every load ends by time.
"""

import argparse
import asyncio
import http.client
import json
import os
import re
import secrets
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.scenario.commands import docker, end, start

from bench.report import Budget, Report
from bench.target import Target, free_port

EXAMPLE = Path(__file__).parent.parent / "examples" / "statuswatch"
TENANTS, ASKED_A_SECOND = 10, 10
P95_BUDGET_MS = 300
WARM_SECONDS = (
    75.0  # the first minute checks all of them at once; then they are spread as they were answered
)
COLUMNS = ("candidate", "endpoints", "checks a minute", "memory_mb", "cores", "p95_ms", "requests")
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
for number in range(TENANTS):
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

    async def seed(self, target: str, each: int) -> list[list[str]]:
        """Make what is checked; return host, key and one endpoint of each organization."""
        text = SEED.replace("SUFFIX", SUFFIX).replace("TARGET", target)
        text = text.replace("TENANTS", str(TENANTS)).replace("EACH", str(each))
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


@dataclass
class Asked:
    """Answers of the dashboard's API."""

    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    wrong: Counter[str] = field(default_factory=Counter)

    def add(self, what: str, status: int, milliseconds: float) -> None:
        self.milliseconds.setdefault(what, []).append(milliseconds)
        if status != 200:
            self.wrong[f"{what} {status}"] += 1

    def p95(self, what: str | None = None) -> float:
        """The 95th percentile of one call, or of all."""
        found = [
            ms
            for name, all_ms in self.milliseconds.items()
            if what in {None, name}
            for ms in all_ms
        ]
        return statistics.quantiles(found, n=20)[-1] if len(found) > 1 else 0.0

    @property
    def count(self) -> int:
        return sum(len(found) for found in self.milliseconds.values())


async def ask(port: int, told: Sequence[Sequence[str]], asked: Asked, seconds: float) -> None:
    """Ask what a dashboard asks, ten times a second, whether or not the last answer has come."""
    begin, tasks = time.monotonic(), []
    for number in range(int(seconds * ASKED_A_SECOND)):
        await asyncio.sleep(max(0.0, begin + number / ASKED_A_SECOND - time.monotonic()))
        host, key, endpoint = told[number % len(told)]
        paths = {
            "endpoints": "/api/endpoints/",
            "history": f"/api/endpoints/{endpoint}/history/?period=24h",
            "incidents": "/api/incidents/?open=true",
            "status": "/api/status/",
            "me": "/api/auth/me/",
            "plan": "/api/billing/",
        }
        what = list(paths)[(number // len(told)) % len(paths)]
        tasks.append(asyncio.create_task(_ask_one(port, host, key, what, paths[what], asked)))
    await asyncio.gather(*tasks)


async def _ask_one(port: int, host: str, key: str, what: str, path: str, asked: Asked) -> None:
    begin = time.perf_counter()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = (f"GET {path} HTTP/1.1", f"Host: {host}", f"Authorization: Token {key}")
        writer.write("\r\n".join((*lines, "Connection: close", "", "")).encode())
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        status = int(answer.split(b" ", 2)[1])
    except (OSError, TimeoutError, IndexError):
        status = 0
    asked.add(what, status, 1000 * (time.perf_counter() - begin))


async def measure_statuswatch(report: Report, count: int, seconds: float) -> None:
    """One row, its budgets and a note for each call."""
    target, asked = Target(), Asked()
    with tempfile.TemporaryDirectory(prefix="bench-sw-") as folder:
        stack = Statuswatch(Path(folder))
        try:
            gateway = await stack.prepare()
            stack.environment["SSRF_ALLOWED_TARGETS"] = f"{gateway}/32"
            async with target.serving(gateway) as url:
                told = await stack.seed(url, count // TENANTS)
                await stack.compose("up", "-d", "--wait", "web", "worker", "beat")
                await asyncio.sleep(WARM_SECONDS)
                target.seen.clear()
                before, begin = await stack.usage(), time.monotonic()
                await ask(stack.port, told, asked, seconds)
                after, passed = await stack.usage(), time.monotonic() - begin
        finally:
            await stack.remove()
    checks = sum(target.seen.values()) * 60 / passed
    cores = (after.cpu_seconds - before.cpu_seconds) / passed
    p95 = asked.p95()
    report.rows.append(
        (
            "StatusWatch",
            count,
            round(checks),
            round(after.memory_mb),
            round(cores, 2),
            round(p95),
            asked.count,
        )
    )
    report.budgets += [
        Budget("dashboard's API, 95th percentile", p95, P95_BUDGET_MS, " ms"),
        Budget("checks a minute", checks, 0.98 * count, is_floor=True),
        Budget("endpoints that were not checked", count - len(target.seen), 0),
        Budget("wrong answers", sum(asked.wrong.values()), 0),
    ]
    each = ", ".join(f"{what} {asked.p95(what):.0f}" for what in asked.milliseconds)
    report.notes.append(f"95th percentile of each call in ms: {each}")
    if asked.wrong:
        report.notes.append(f"wrong: {dict(asked.wrong)}")


async def measure(count: int, seconds: float) -> Report:
    """About five minutes."""
    report = Report("statuswatch", f"{count} endpoints each minute", COLUMNS)
    await measure_statuswatch(report, count, seconds)
    return report


def main() -> int:
    """Exit code 1 when a budget is missed."""
    parser = argparse.ArgumentParser(prog="scripts/bench statuswatch", description=__doc__)
    parser.add_argument("--endpoints", type=int, default=1000)
    parser.add_argument(
        "--seconds", type=float, default=120.0, help="measured; the warm-up comes before"
    )
    parser.add_argument(
        "--json", action="store_true", help="write bench/results/statuswatch.json too"
    )
    given = parser.parse_args()
    report = asyncio.run(measure(given.endpoints, min(given.seconds, 600.0)))
    report.print()
    if given.json:
        report.save()
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
