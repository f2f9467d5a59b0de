"""The reference app of `examples/statuswatch` on a server of its own: a copy, its page, its people.

The copy has names, ports and a registry of this run; everything else of it is as in the example,
and what is done to it is what its README says. What lies outside are the example's own doubles, and
a target that says who came when.
"""

import json
import os
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from bench.load import Load, Tally, running
from bench.work_stack import TARGET
from tests.apart import free_ports
from tests.pebble import Authority
from tests.scenario.commands import docker, end, remove_project, start
from tests.scenario.dsl import App
from tests.scenario.server import Server, until

EXAMPLE: Final = Path(__file__).parents[2] / "examples/statuswatch"
SUFFIX: Final = "statuswatch.test"
STRIPE_HOST: Final = "stripe.test"  # of the double's pages, for a browser that is told where it is
TARGET_URL: Final = "http://target.example:9000/task/{}?seconds=0.05"
TICK_SECONDS: Final = (
    5  # how often the scheduler looks for what is due, and a "minute" of an endpoint
)
PASSWORD: Final = "Correct-horse-9"
HEADING: Final = "All of it on one machine"
_LEFT_OUT: Final = (
    *("tests", ".venv", "node_modules", ".*_cache", "__pycache__", "secrets", "pictures"),
    *("stripe-double.log", "logs", ".env", ".env.prod"),
)
_COMMAND_SECONDS: Final = 600.0  # a build without a cache, or a rehearsal on a busy machine
_BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.S | re.M)
_LOAD_SECONDS: Final = 300.0  # it ends with its block; this bounds it when the block does not end
# What is watched: of every release, and of the copy, too.
_TARGET_FILE: Final = """\
services:
  target:
    image: berthmaster/python:3.11
    command: [python3, /target.py]
    volumes: ["./target.py:/target.py:ro"]
    networks: {default: {aliases: [target.example]}}
    healthcheck:
      test: [CMD, python3, -c, "import socket; socket.create_connection(('127.0.0.1', 9000))"]
      interval: 2s
      timeout: 30s
"""


def commands_of(heading: str) -> list[str]:
    """The shell blocks below a heading of the README, in their order."""
    page = (EXAMPLE / "README.md").read_text()
    (part,) = [one for one in page.split("\n## ") if one.startswith(heading)]
    return _BLOCK.findall(part)


async def build_frontend() -> None:
    """Build it where the example lies, unless that is done."""
    frontend, built = EXAMPLE / "frontend", EXAMPLE / "frontend/dist/index.html"
    sources = [*(frontend / "src").rglob("*"), frontend / "index.html", frontend / "vite.config.ts"]
    if built.exists() and built.stat().st_mtime > max(one.stat().st_mtime for one in sources):
        return
    done = await end(await start(str(frontend / "build")), seconds=_COMMAND_SECONDS)
    assert done.code == 0, done.said


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back to a program."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class StatusWatch:
    """The copy, before and behind the edge."""

    server: Server
    authority: Authority
    app: App
    stripe_port: int
    mail_port: int
    trust: SSLContext
    exchanged: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def copied(cls, server: Server, authority: Authority) -> "StatusWatch":
        """Copy the example, the built frontend with it, and name it after this run."""
        app = App(server, "statuswatch", "trial")
        await build_frontend()
        ignored = shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(EXAMPLE, app.folder, ignore=ignored, dirs_exist_ok=True)
        stripe, mail, http, https = free_ports(4)
        made = cls(server, authority, app, stripe, mail, await authority.trust())
        made._name(http, https)
        return made

    def _name(self, http: int, https: int) -> None:
        """What differs from the example: names, ports, the target, and how long things may take."""
        app = self.app
        for name in ("berth.yaml", ".env.example"):
            app.edit(name, "statuswatch.localhost", SUFFIX)
        app.edit("berth.yaml", "app: statuswatch", f"app: {app.name}")
        app.edit("compose.yaml", "name: statuswatch", f"name: {app.name}")
        app.edit(".env.example", "REGISTRY=127.0.0.1:5000", f"REGISTRY={self.server.images}")
        app.edit(
            "berth.yaml", "docker-compose.doubles.yml]", "docker-compose.doubles.yml, target.yaml]"
        )
        app.edit(
            "berth.yaml",
            "docker-compose.rehearsal.yml]",
            "docker-compose.rehearsal.yml, target.yaml]",
        )
        app.edit(
            "berth.yaml",
            "  mail: {role: state}\n",
            "  mail: {role: state}\n  target: {role: state}\n",
        )
        for name in (
            "compose.yaml",
            "docker-compose.mod.yml",
        ):  # busy is not bad
            app.edit(name, "start_period: 30s", "start_period: 180s")
            app.edit(name, "timeout: 5s", "timeout: 30s")
        app.edit("berth.yaml", "web: {drain: 30s, ready: 60s}", "web: {drain: 30s, ready: 240s}")
        app.edit("berth.yaml", "drain: 60s}", "drain: 60s, ready: 240s}")
        app.edit("berth.yaml", "beat: {role: single}", "beat: {role: single, ready: 240s}")
        (app.folder / "target.yaml").write_text(_TARGET_FILE)
        shutil.copy(TARGET / "target.py", app.folder)
        with (app.folder / "berth.yaml").open("a") as file:
            file.write("\nretention: {watch: 2s}\n")
        variables = {
            "STRIPE_DOUBLE_PORT": self.stripe_port,
            "STRIPE_DOUBLE_URL": self.stripe,
            "MAIL_DOUBLE_PORT": self.mail_port,
            "EDGE_PORT": self.server.https,
            "HTTP_PORT": http,
            "HTTPS_PORT": https,
            "SSRF_ALLOWED_TARGETS": "web,target.example",
            "MOD_SSRF_ALLOWED_TARGETS": "web,target.example",
            "CHECK_INTERVAL_SECONDS": TICK_SECONDS,
            "INTERVAL_UNIT_SECONDS": TICK_SECONDS,
            "API_RATE_LIMITING_ENABLED": "false",  # all requests come from one address
        }
        with (app.folder / ".env.trial").open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in variables.items())
        self.exchanged = {
            "frontend/build\n": "",  # done before the copy was made, where its packages are
            "127.0.0.1:5000": self.server.images,
            'docker-compose.doubles.yml "$@"': 'docker-compose.doubles.yml -f target.yaml "$@"',
            "adopt statuswatch": f"adopt {app.name}",
        }

    @property
    def stripe(self) -> str:
        return f"http://{STRIPE_HOST}:{self.stripe_port}"

    async def type(self, block: str, *, code: int = 0) -> str:
        """Type a block into a shell that stops at the first line that fails."""
        text = block
        for old, new in self.exchanged.items():
            text = text.replace(old, new)
        variables = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "BERTHMASTER_SETTINGS": str(self.server.root / "settings.toml"),
            "BUILD_CA": os.environ.get("PIP_CERT", "/dev/null"),
        }
        line = ("env", "-C", str(self.app.folder), "bash", "-euo", "pipefail", "-c", text)
        done = await end(await start(*line, env=variables), seconds=_COMMAND_SECONDS)
        assert done.code == code, f"{text}\nexit {done.code}\n{done.said}"
        return done.said

    # --- what people and programs ask

    async def ask(self, host: str, path: str, body: object = None, *, token: str = "") -> Answered:
        """One request through the edge, whose certificate must be the authority's."""
        headers = {"Host": host, **({"Authorization": f"Bearer {token}"} if token else {})}
        url = f"https://127.0.0.1:{self.server.https}{path}"
        more: dict[str, Any] = {
            "server_hostname": host,
            "ssl": self.trust,
            "allow_redirects": False,
        }
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            request = session.get if body is None else session.post
            words = more if body is None else {**more, "json": body}
            async with request(url, headers=headers, **words) as answer:
                return Answered(answer.status, await answer.text())

    async def mails(self) -> list[dict[str, str]]:
        """What the double of the mail server took."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.mail_port}/mails") as answer,
        ):
            found: list[dict[str, str]] = await answer.json()
            return found

    async def link_for(self, address: str) -> str:
        """The path of the link in the mail to somebody, once it has come."""
        found: list[str] = []

        async def came() -> bool:
            texts = [mail["text"] for mail in await self.mails() if address in mail["to"]]
            found[:] = re.findall(r"https://[^/\s]+(/verify-email/\S+)", "".join(texts))
            return bool(found)

        await until(came, seconds=90)
        return found[0]

    async def pay(self, page: str) -> None:
        """What the button of the payment page does."""
        path = urlsplit(page).path
        form = {"card": "4242424242424242"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"http://127.0.0.1:{self.stripe_port}{path}", data=form, allow_redirects=False
            ) as answer,
        ):
            assert answer.status == 303, await answer.text()

    # --- what may not change

    def container(self, service: str) -> str:
        """Of the legacy project: what keeps data stays in it."""
        return f"{self.app.name}-{service}-1"

    async def psql(self, statement: str) -> str:
        words = ("psql", "-U", "statuswatch", "-d", "statuswatch", "-Atc", statement)
        return await docker("exec", self.container("db"), *words)

    async def untouched(self) -> list[str]:
        """Ids and starts of what keeps data, and Redis' own word for its life."""
        names = [self.container(name) for name in ("db", "redis", "stripe", "mail", "target")]
        info = await docker("exec", self.container("redis"), "redis-cli", "INFO", "server")
        run_id = [line.strip() for line in info.splitlines() if line.startswith("run_id:")]
        return [*await self.app.started(*names), *run_id]

    async def checksum(self, tenants: Sequence[str], until_result: Mapping[str, int]) -> list[str]:
        """Of tenants, hosts, people and endpoints, and of the results that were there then."""
        found = [
            await self.psql(f"SELECT md5(string_agg(t::text, '|' ORDER BY t.id)) FROM {table} t")
            for table in ("tenants_client", "tenants_domain")
        ]
        for name in tenants:
            endpoints = f"SELECT md5(string_agg(id || url || name, '|' ORDER BY id)) FROM {name}."
            results = (
                f"SELECT md5(string_agg(id || status || checked_at, '|' ORDER BY id))"
                f" FROM {name}.monitors_checkresult WHERE id <= {until_result[name]}"
            )
            people = "SELECT md5(string_agg(id || username || password, '|' ORDER BY id)) FROM "
            found += [
                await self.psql(f"{endpoints}monitors_endpoint"),
                await self.psql(results),
                await self.psql(f"{people}{name}.auth_user"),
            ]
        return found

    async def last_result(self, tenant: str) -> int:
        return int(
            await self.psql(f"SELECT coalesce(max(id), 0) FROM {tenant}.monitors_checkresult")
        )

    # --- checks

    async def arrivals(self) -> dict[int, list[float]]:
        """When each check came to the target, by the number in its address."""
        found: dict[int, list[float]] = defaultdict(list)
        for text in (await docker("logs", self.container("target"))).splitlines():
            line = json.loads(text) if text.startswith("{") else {}
            if "began" in line and "ended" not in line:
                found[line["task"]].append(line["began"])
        return found

    async def results(self, tenants: Sequence[str]) -> dict[int, int]:
        """How many results of each are stored."""
        found = {}
        for name in tenants:
            rows = await self.psql(
                f"SELECT e.url, count(r.id) FROM {name}.monitors_endpoint e"
                f" LEFT JOIN {name}.monitors_checkresult r ON r.endpoint_id = e.id"
                " WHERE e.url LIKE 'http://target.example%' GROUP BY e.url"
            )
            for row in rows.splitlines():
                url, count = row.split("|")
                found[int(url.split("/task/")[1].partition("?")[0])] = int(count)
        return found

    def planned_gap(self) -> float:
        """The longest time without a scheduler or a worker that a plan of this stack named."""
        query = "SELECT plan FROM deployments WHERE stack = ?"
        plans = [json.loads(str(row[0])) for row in self.server.rows(query, self.app.stack)]
        return max(
            (sum(float(gap["seconds"]) for gap in plan["gaps"]) for plan in plans), default=0.0
        )

    # --- load

    @asynccontextmanager
    async def load(self, *hosts: str, rate: float = 100.0) -> AsyncIterator[list[Tally]]:
        """So many requests a second over the hosts: the page, the release, the tenant's status."""
        shares = (("/", 0.5), ("/version", 0.3), ("/api/status/", 0.2))
        async with AsyncExitStack() as stack:
            yield [
                await stack.enter_async_context(self._asked(host, path, rate * share / len(hosts)))
                for host in hosts
                for path, share in shares
            ]

    def _asked(self, host: str, path: str, rate: float) -> AbstractAsyncContextManager[Tally]:
        return running(
            Load(
                *("127.0.0.1", self.server.https, host, path),
                clients=4,
                rate=rate,
                seconds=_LOAD_SECONDS,
                is_tls=True,
                version_header="x-app-version",
            )
        )

    async def tear_down(self) -> None:
        """End both forms of the stack, with all that they keep, and the names of the images."""
        for tenant in ("/rehearsal", ""):
            stack = f"{self.app.stack}{tenant}"
            await self.server.berth("destroy", stack, "--confirm", stack)
        await remove_project(self.app.name)
        await self.server.remove_app(self.app.name)
        names = (
            "statuswatch-web:edge",
            "statuswatch-web:mod",
            "stripe-double:v1",
            "mail-double:v1",
        )
        await docker("image", "rm", *(f"{self.server.images}/{name}" for name in names), code=None)


@dataclass
class Organization:
    """One that signed up, and its owner's session."""

    site: StatusWatch
    name: str
    access: str = ""
    refresh: str = ""

    @property
    def schema(self) -> str:
        return self.name.lower()

    @property
    def host(self) -> str:
        return f"{self.schema}.{SUFFIX}"

    @property
    def address(self) -> str:
        return f"owner@{self.schema}.example"

    async def sign_up(self) -> None:
        """Register and follow the link of the mail."""
        asked = {"organization": self.name, "email": self.address, "password": PASSWORD}
        answer = await self.site.ask(SUFFIX, "/api/auth/register/", asked)
        assert answer.status == 201, answer
        answer = await self.site.ask(SUFFIX, await self.site.link_for(self.address))
        assert answer.status == 200, answer

    async def log_in(self) -> None:
        """A session for a program of theirs."""
        credentials = {"username": self.address, "password": PASSWORD}
        answer = await self.site.ask(self.host, "/api/auth/login/", credentials)
        assert answer.status == 200, answer
        self.access, self.refresh = answer.json["access"], answer.json["refresh"]

    async def watch(self, number: int) -> int:
        """Add an endpoint at the target; the status of the answer."""
        endpoint = {
            "name": f"Target {number}",
            "url": TARGET_URL.format(number),
            "interval_minutes": 1,
        }
        return (
            await self.site.ask(self.host, "/api/endpoints/", endpoint, token=self.access)
        ).status

    async def upgrade(self) -> None:
        """Buy Pro on the double's page, and wait until its signed event has come."""
        path = "/api/billing/create-checkout-session/"
        answer = await self.site.ask(self.host, path, {}, token=self.access)
        assert answer.status == 201, answer
        await self.site.pay(answer.json["url"])
        await until(self.is_pro, seconds=40)

    async def is_pro(self) -> bool:
        answer = await self.site.ask(self.host, "/api/billing/", token=self.access)
        return answer.status == 200 and answer.json["plan"] == "pro"

    async def is_logged_in(self) -> bool:
        """Whether the session of before is worth what it was: it is renewed, as a browser does."""
        answer = await self.site.ask(self.host, "/api/auth/refresh/", {"refresh": self.refresh})
        if answer.status != 200:
            return False
        self.access, self.refresh = answer.json["access"], answer.json["refresh"]
        return (await self.site.ask(self.host, "/api/auth/me/", token=self.access)).status == 200


async def seen(site: StatusWatch, *, times: int, of: Sequence[int]) -> None:
    """Wait until each of these was checked so often."""

    async def often() -> bool:
        found = await site.arrivals()
        return all(len(found.get(number, ())) >= times for number in of)

    await until(often, seconds=90)
