"""StatusWatch with its worker, its scheduler and a target that counts, under Berthmaster and under
plain Compose.

The application is the example as it is: a task is queued as a user queues one, by naming an
endpoint to check. Everything lies on a server of the scenarios' own and goes away with it.
"""

import asyncio
import contextlib
import json
import os
import shutil
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from tests.apart import free_ports
from tests.scenario.commands import Ended, docker, start
from tests.scenario.dsl import App
from tests.scenario.server import Server

EXAMPLE = Path(__file__).parents[1] / "examples" / "statuswatch"
TARGET = Path(__file__).with_name("work_target")
FILES = ("compose.yaml", "docker-compose.production.yml", "target.yaml")
TICK_SECONDS = 5  # how often the scheduler looks for what is due
COMMAND_SECONDS = 420.0  # a deploy on a busy machine; never reached by a good one
GOOD = ("v1", "v2")
VARIABLES = {
    "POSTGRES_IMAGE": "berthmaster/postgres:15",
    "REDIS_IMAGE": "berthmaster/redis:7",
    "STRIPE_PUBLIC_KEY": "pk_live_NobodyHasThisOne",  # nothing is sold here
    "STRIPE_PRO_PRICE_ID": "price_NobodyHasThisOne",
    "EMAIL_HOST": "smtp.invalid",
    "DEFAULT_FROM_EMAIL": "bench@example.com",
    "SENTRY_DISABLED": "true",
    "API_RATE_LIMITING_ENABLED": "false",  # one user queues thousands of tasks
    "SSRF_ALLOWED_TARGETS": "web,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16",  # the target is here
    "CHECK_INTERVAL_SECONDS": str(TICK_SECONDS),
}
SECRETS = {
    "secret_key": "",
    "postgres_password": "",
    "stripe_secret_key": "sk_live_",
    "stripe_webhook_secret": "whsec_",
    "email_host_password": "",
}
COUNTS = """\
SELECT e.url, count(r.id) FROM acme.monitors_endpoint e
LEFT JOIN acme.monitors_checkresult r ON r.endpoint_id = e.id
WHERE e.url LIKE 'http://%:9000/task/%' GROUP BY e.url"""
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Deployed:
    """One deploy: what it was to bring, how it ended, what its plan said of gaps."""

    tag: str  # `v1`, or the way in which a release is broken
    began: float = field(default_factory=time.time)
    ended: float = 0.0
    code: int = -1
    state: str = ""
    release: int = 0  # 0: Compose has none
    said: str = ""
    gaps: dict[str, float] = field(default_factory=dict)  # `no consumer` -> seconds
    steps: list[tuple[float, str]] = field(default_factory=list)  # when each began, undone or not

    @property
    def is_good(self) -> bool:
        return self.tag in GOOD

    def step_at(self, at: float) -> str:
        """What was being done at a moment; empty when nobody knows."""
        return next((what for began, what in reversed(self.steps) if began <= at), "")

    @property
    def is_as_wanted(self) -> bool:
        """Whether a good release is live, or a broken one was turned back."""
        wanted = (0, "succeeded") if self.is_good else (1, "unwound")
        return (self.code, self.state) == wanted


class Stack(Protocol):
    """What the story needs of a stack, however it is deployed."""

    project: str  # what its containers' projects begin with
    host: str  # of the tenant

    async def set_up(self) -> None:
        """Bring v1 up, with a tenant and its user."""

    async def deploy(self, tag: str) -> Deployed: ...

    async def connect(self) -> Connection: ...


async def build_images(server: Server, tags: Sequence[str]) -> None:
    """Build and push a good release for `v1` and `v2`, a v3 broken in that way for other tags."""
    ca = os.environ.get("BERTHMASTER_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")
    for tag in tags:
        image = image_of(server, tag)
        version = ("v3", f"BROKEN={tag}") if tag not in GOOD else (tag, "BROKEN=")
        arguments = ("--build-arg", f"APP_VERSION={version[0]}", "--build-arg", version[1])
        words = ("--quiet", "--load", "--tag", image, "--secret", f"id=ca,src={ca}", *arguments)
        await _done(await ended(await start("docker", "buildx", "build", *words, str(EXAMPLE))))
        await docker("push", "--quiet", image)


async def remove_images(server: Server, tags: Sequence[str]) -> None:
    """Remove the names that `build_images` gave."""
    await docker("image", "rm", *(image_of(server, tag) for tag in tags), code=None)


def image_of(server: Server, tag: str) -> str:
    return f"{server.images}/statuswatch-web:{tag}"


class UnderBerth:
    """The stack as `berth deploy` brings it up; None keeps what product and example have."""

    def __init__(
        self, server: Server, watch_seconds: int | None = None, ready_seconds: int | None = None
    ) -> None:
        self.app = App(server, "statuswatch")
        self.project, self.host = self.app.project, f"acme.{self.app.host}"
        self._watch_seconds, self._ready_seconds = watch_seconds, ready_seconds

    async def set_up(self) -> None:
        """Write its files, deploy v1, make the tenant."""
        _write_files(self.app, mode=0o600)
        (self.app.folder / "berth.yaml").write_text(self._berth_yaml())
        seed = ("run", self.app.stack, "web", "--", "python", "manage.py", "seed_demo")
        for words in (("deploy", self.app.stack, "--tag", "v1"), seed):
            await _done(await ended(await self.app.start(*words)))

    async def deploy(self, tag: str) -> Deployed:
        """Deploy, whatever comes of it."""
        deployed, known = Deployed(tag), len(self._deployments())
        done = await ended(await self.app.start("deploy", self.app.stack, "--tag", tag, "--force"))
        deployed.ended, deployed.code, deployed.said = time.time(), done.code, done.said
        for number, state, release, text in self._deployments()[known:]:
            deployed.state, deployed.release = str(state), int(str(release))
            plan = json.loads(str(text))
            for gap in plan["gaps"]:
                deployed.gaps[gap["what"].partition(" (")[0]] = float(gap["seconds"])
            deployed.steps = self._steps(int(str(number)), plan["steps"])
        return deployed

    def _steps(
        self, deployment: int, steps: Sequence[Mapping[str, Any]]
    ) -> list[tuple[float, str]]:
        named = {step["number"]: f"{step['subject']}: {step['what']}" for step in steps}
        began = {"started": "", "undo_started": "undo of "}
        query = "SELECT at, step, state FROM journal_entries WHERE deployment_id = ? ORDER BY id"
        return [
            (datetime.fromisoformat(str(at)).timestamp(), began[str(state)] + named[int(str(step))])
            for at, step, state in self.app.server.rows(query, deployment)
            if state in began
        ]

    def _deployments(self) -> list[tuple[object, ...]]:
        columns, mine = "id, state, release, plan", "stack = ? AND verb = 'deploy'"
        query = f"SELECT {columns} FROM deployments WHERE {mine} ORDER BY id"
        return self.app.server.rows(query, self.app.stack)

    async def connect(self) -> Connection:
        """A connection to the edge."""
        context = ssl.create_default_context(cafile=str(self.app.server.ca_file))
        port = self.app.server.https
        return await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=self.host
        )

    def _berth_yaml(self) -> str:
        text = (EXAMPLE / "berth.backend.yaml").read_text()
        name, host = self.app.name, self.app.host
        for old, new in (
            ("app: statuswatch", f"app: {name}"),
            ("services:\n", "services:\n  target: {role: state}\n"),
            ("docker-compose.production.yml]", "docker-compose.production.yml, target.yaml]"),
            ("statuswatch.localhost", host),
        ):
            assert old in text, old
            text = text.replace(old, new)
        if self._ready_seconds is not None:
            text = text.replace("ready: 60s", f"ready: {self._ready_seconds}s")
        watch = self._watch_seconds
        return text if watch is None else f"{text}retention: {{watch: {watch}s}}\n"


class UnderCompose:
    """The negative control: `docker compose up -d`, as the example's page has it, without Caddy."""

    def __init__(self, server: Server) -> None:
        self.app = App(server, "plain")
        self.project, self.host = self.app.name, f"acme.{self.app.host}"
        (self._port,) = free_ports(1)
        self._live = "v1"

    async def set_up(self) -> None:
        """Start v1 the way the example's README does."""
        _write_files(self.app, mode=0o444)  # plain Compose mounts a secret as it is, for uid 10001
        shutil.copy(TARGET / "control.yaml", self.app.folder)
        await _done(await self._compose("v1", "up", "--detach", "--wait", "db", "redis", "target"))
        await _done(await self._migrate("v1"))
        seed = ("run", "--rm", "web", "python", "manage.py", "seed_demo")
        await _done(await self._compose("v1", *seed))
        await _done(await self._up("v1"))

    async def deploy(self, tag: str) -> Deployed:
        """Migrate and recreate; go back to the old one when the release is broken."""
        deployed = Deployed(tag)
        done = await self._migrate(tag)
        if done.code == 0:
            done = await self._up(tag)
        deployed.code, deployed.said = done.code, done.said
        if not deployed.is_good:
            await asyncio.sleep(20)  # somebody notices and types the old tag
            await _done(await self._up(self._live))
        self._live = tag if deployed.is_good else self._live
        deployed.ended = time.time()
        return deployed

    async def connect(self) -> Connection:
        """A connection to the published port."""
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def tear_down(self) -> None:
        """Remove containers one by one (an engine below 23 can hang on two at once), then all."""
        names = ("container", "ls", "--all", "--quiet", "--filter")
        for name in (
            await docker(*names, f"label=com.docker.compose.project={self.project}")
        ).split():
            await docker("rm", "--force", "--volumes", name, code=None)
        await self._compose("v1", "down", "--volumes", "--timeout", "1")

    async def _migrate(self, tag: str) -> Ended:
        words = ("run", "--rm", "web", "python", "manage.py", "migrate_schemas", "--noinput")
        return await self._compose(tag, *words)

    async def _up(self, tag: str) -> Ended:
        services = ("web", "worker", "beat")
        wait = ("--detach", "--pull", "never", "--wait", "--wait-timeout", "180")
        return await self._compose(tag, "up", *wait, *services)

    async def _compose(self, tag: str, *words: str) -> Ended:
        folder = self.app.folder
        files = [
            word for name in (*FILES, "control.yaml") for word in ("--file", str(folder / name))
        ]
        named = [
            *("--project-name", self.project, "--project-directory", str(folder)),
            *("--env-file", str(folder / ".env.prod")),
        ]
        env = {"IMAGE_TAG": tag, "CONTROL_PORT": str(self._port)}
        return await ended(await start("docker", "compose", *named, *files, *words, env=env))


def _write_files(app: App, *, mode: int) -> None:
    """The example's Compose files, the target, variables, secrets of this run."""
    app.folder.mkdir(parents=True, exist_ok=True)
    for name in FILES[:2]:
        shutil.copy(EXAMPLE / name, app.folder)
    for name in ("target.py", "target.yaml"):
        shutil.copy(TARGET / name, app.folder)
    shutil.copytree(EXAMPLE / "caddy", app.folder / "caddy", dirs_exist_ok=True)
    suffix = {"DEFAULT_TENANT_DOMAIN_SUFFIX": app.host, "ALLOWED_HOSTS": f".{app.host},web"}
    app.give(**VARIABLES, **suffix)
    for name, prefix in SECRETS.items():
        app.secret(name, prefix + os.urandom(30).hex())
        (app.folder / "secrets" / "prod" / name).chmod(mode)


class Inside:
    """What the stack's own containers know: broker, database, target."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    async def token(self) -> str:
        """Make the demo user a token for the API."""
        words = ("tenant_command", "create_api_token", "demo", "--schema=acme")
        web = (await self._containers("web"))[0]
        said = await docker("exec", web, "python", "manage.py", *words)
        return said.split("Generated token ")[1].split()[0]

    async def target(self) -> str:
        """Its address: the application refuses a name without a dot."""
        target = (await self._containers("target"))[0]
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
        return (await docker("inspect", "--format", form, target)).split()[0]

    async def waiting(self) -> int:
        """Tasks in the queue, and tasks that were taken and not acknowledged."""
        redis = (await self._containers("redis"))[0]
        counts = [("LLEN", "celery"), ("HLEN", "unacked")]
        said = [await docker("exec", redis, "redis-cli", *words) for words in counts]
        return sum(int(text) for text in said)

    async def results(self) -> dict[int, int]:
        """How many results of each task are stored."""
        db = (await self._containers("db"))[0]
        words = ("psql", "-U", "statuswatch", "-d", "statuswatch", "-At", "-F", " ", "-c", COUNTS)
        found: dict[int, int] = {}
        for line in (await docker("exec", db, *words)).splitlines():
            url, count = line.split()
            found[task_of(url)] = int(count)
        return found

    async def arrivals(self) -> list[dict[str, object]]:
        """The target's lines."""
        lines = (await docker("logs", (await self._containers("target"))[0])).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    async def _containers(self, service: str) -> list[str]:
        project = self._stack.project
        names = (await docker("container", "ls", "--format", "{{.Names}}")).splitlines()
        return sorted(
            name for name in names if name.startswith(f"{project}-") and f"-{service}-" in name
        )


def url_of(address: str, task: int) -> str:
    """What is checked for a task: each tenth takes long, so that some are always in hand."""
    return f"http://{address}:9000/task/{task}?seconds={3 if task % 10 == 0 else 0.2}"


def task_of(url: str) -> int:
    return int(url.split("/task/")[1].partition("?")[0])


async def ended(process: asyncio.subprocess.Process) -> Ended:
    """Wait for a command that may take minutes."""
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def _done(command: Ended) -> None:
    if command.code:
        raise RuntimeError(command.said)
