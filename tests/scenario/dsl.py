"""One app on the scenarios' server: its folder, its commands, and what can be seen of it.

Intent (`write`, `give`), steps (`deploy`, `rollback`, ...) and observables (`ask`, `world`, ...).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from bench.load import Load, Tally, running
from tests.scenario.commands import Ended, docker, docker_lines
from tests.scenario.server import HERE, Server, until

LOAD_SECONDS = 60.0  # it ends with its block; this bounds it when the block does not end


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer through the gateway."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def version(self) -> str:
        return self.headers.get("x-version", "")


@dataclass
class Seen:
    """What a visitor saw: each change of the version, and each answer that was not 200."""

    versions: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    count: int = 0
    is_over: bool = False


@dataclass
class App:
    """An app made from a folder of `testdata`, under a name of this run."""

    server: Server
    name: str
    environment: str = "prod"
    variables: dict[str, str] = field(default_factory=dict)
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"{self.name}-{self.server.run}"
        self.folder = self.server.root / "apps" / self.name

    @property
    def stack(self) -> str:
        return f"{self.name}@{self.environment}"

    @property
    def project(self) -> str:
        return f"{self.name}-{self.environment}"

    @property
    def host(self) -> str:
        return f"{self.name}.test" if self.is_tls else f"{self.environment}.{self.name}.test"

    @property
    def is_tls(self) -> bool:
        """`prod` answers behind the edge, every other environment on the plain entrypoint."""
        return self.environment == "prod"

    def in_environment(self, environment: str) -> "App":
        """The same files in another environment."""
        name = self.name.removesuffix(f"-{self.server.run}")
        return App(self.server, name, environment, dict(self.variables)).give()

    def write(self, data: str) -> "App":
        """Write the files of a folder of `testdata`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for file in (HERE / "testdata" / data).iterdir():
            (self.folder / file.name).write_text(file.read_text().replace("APP", self.name))
        return self.give()

    def give(self, **variables: str) -> "App":
        """Change the environment's variables."""
        self.variables |= variables
        lines = [f"REGISTRY={self.server.images}"]
        lines += [f"{name}='{value}'" for name, value in self.variables.items()]
        path = self.folder / f".env.{self.environment}"
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o600)
        return self

    def edit(self, name: str, old: str, new: str) -> "App":
        """Replace a piece of a file that must be there."""
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return self

    def held(self) -> "App":
        """Make its next release wait, after its start, until it is let go."""
        return self.edit("berth.yaml", "ready: 5s", "ready: 200s").give(BROKEN="held")

    async def let_go(self, release: int) -> None:
        """Once it has started."""
        await until(lambda: self.containers(release), seconds=100)
        await self.exec(f"{self.project}-r{release}-web-1", "touch", "/tmp/go")

    def secret(self, name: str, content: str) -> "App":
        path = self.folder / "secrets" / self.environment / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(content)
        path.chmod(0o600)
        return self

    async def berth(self, *words: str, env: Mapping[str, str] | None = None) -> Ended:
        """A command in the app's folder."""
        return await self.server.berth("-C", str(self.folder), *words, env=env)

    async def start(
        self, *words: str, env: Mapping[str, str] | None = None
    ) -> asyncio.subprocess.Process:
        return await self.server.start("-C", str(self.folder), *words, env=env)

    async def deploy(self, tag: str = "v1", *more: str, code: int = 0) -> Ended:
        """Deploy and expect an exit code."""
        done = await self.berth("deploy", self.stack, "--tag", tag, *more)
        assert done.code == code, f"exit {done.code}\n{done.said}"
        return done

    async def done(self, *words: str) -> Ended:
        """A command that must succeed."""
        done = await self.berth(*words)
        assert done.code == 0, f"exit {done.code}\n{done.said}"
        return done

    async def ask(
        self, path: str = "/", *, body: bytes = b"", more: str = "Connection: close"
    ) -> Answer:
        """One request through the gateway, no redirect followed, nothing retried."""
        reader, writer = await self.connect()
        writer.write(self.request(path, body=body, more=more))
        text = (await asyncio.wait_for(reader.read(), 30)).decode()
        writer.close()
        return _parse(text)

    def request(self, path: str, *, body: bytes = b"", more: str = "Connection: close") -> bytes:
        method = "POST" if body else "GET"
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{more}\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the entrypoint of the environment."""
        if not self.is_tls:
            return await asyncio.open_connection("127.0.0.1", self.server.plain)
        context = ssl.create_default_context(cafile=str(self.server.ca_file))
        return await asyncio.open_connection(
            "127.0.0.1", self.server.https, ssl=context, server_hostname=self.host
        )

    def load(self) -> AbstractAsyncContextManager[Tally]:
        """Ask `/` all the time, on connections kept alive, until the body of the block ends."""
        return running(replace(self.visits(), clients=8, rate=120, seconds=LOAD_SECONDS))

    def visits(self) -> Load:
        """Requests for `/` at the entrypoint of the environment."""
        return Load(
            "127.0.0.1",
            self.server.https if self.is_tls else self.server.plain,
            self.host,
            is_tls=self.is_tls,
            ca_file=self.server.ca_file if self.is_tls else None,
        )

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[Seen]:
        """Ask `/` again and again, one after the other, each on a connection of its own.

        The last question is asked after the block: one that was already on its way to a release
        that died tells nothing about the state the block left.
        """
        seen = Seen()
        task = asyncio.create_task(self._look(seen))
        try:
            yield seen
        finally:
            seen.is_over = True
            await task
            await self._look_once(seen)

    async def _look(self, seen: Seen) -> None:
        while not seen.is_over:
            await self._look_once(seen)
            await asyncio.sleep(0.02)

    async def _look_once(self, seen: Seen) -> None:
        try:
            answer = await self.ask()
        except (OSError, ValueError, IndexError, TimeoutError) as error:
            seen.lost.append(type(error).__name__)
            return
        if answer.status != 200:
            seen.lost.append(str(answer.status))
        elif answer.version not in seen.versions[-1:]:
            seen.versions.append(answer.version)
        seen.count += 1

    async def containers(self, release: int | None = None, *, every: bool = False) -> list[str]:
        """Names of the stack's running containers, of one release or of all."""
        wanted = ["--filter", f"label=berthmaster.stack={self.stack}"]
        if release is not None:
            wanted += ["--filter", f"label=berthmaster.release={release}"]
        words = ["--all"] if every else []
        return sorted(
            await docker_lines("container", "ls", *words, *wanted, "--format", "{{.Names}}")
        )

    async def exec(self, container: str, *words: str) -> str:
        return await docker("exec", container, *words)

    async def redis(self, *words: str) -> list[str]:
        return (await self.exec(f"{self.project}-redis-1", "redis-cli", *words)).splitlines()

    async def world(self) -> set[str]:
        """Everything of the stack that a release leaves behind when nobody tidies up."""
        wanted = ("--filter", f"label=berthmaster.stack={self.stack}")
        names = ("--format", "{{.Name}}")
        containers, networks, volumes = await asyncio.gather(
            self.containers(every=True),
            docker_lines("network", "ls", *wanted, *names),
            docker_lines("volume", "ls", *wanted, *names),
        )
        found = {f"container {item}" for item in containers}
        found |= {f"network {item}" for item in networks}
        found |= {f"volume {item}" for item in volumes}
        rows = self.server.rows("SELECT owner FROM subnets UNION ALL SELECT owner FROM slots")
        mine = {self.project + end for end in ("-", "/")}
        found |= {f"owner {row[0]}" for row in rows if str(row[0]).startswith(tuple(mine))}
        return found | {f"folder {path}" for path in self._folders()}

    def _folders(self) -> list[str]:
        folders = [self.server.state / part / self.project for part in ("stacks", "sites")]
        return [
            str(path.relative_to(self.server.state))
            for folder in folders
            if folder.is_dir()
            for path in folder.iterdir()
        ]

    async def started(self, *containers: str) -> list[str]:
        """Id and start of containers: changes when one was made anew or restarted."""
        return await docker_lines(
            "inspect", "--format", "{{.Id}} {{.State.StartedAt}}", *containers
        )

    def lease_holder(self) -> object:
        rows = self.server.rows("SELECT holder FROM leases WHERE name = ?", self.stack)
        return rows[0][0] if rows else None

    def deployment_states(self) -> list[object]:
        query = "SELECT state FROM deployments WHERE stack = ? ORDER BY id"
        return [row[0] for row in self.server.rows(query, self.stack)]


def _parse(text: str) -> Answer:
    head, _, body = text.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {key.lower(): value.strip() for key, _, value in pairs}
    return Answer(int(first.split(" ")[1]), headers, body)


class MakeApp(Protocol):
    """The fixture `app`: an app from a folder of `testdata`, destroyed with its test."""

    def __call__(self, data: str, environment: str = "prod") -> App: ...
