"""The reference app of `examples/community` on the scenarios' server, by the lines of its README.

A copy under a name, ports and a commit of its own; what is typed is what the pages say, with only
ports exchanged.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.apart import free_ports
from tests.scenario.commands import Ended, docker, docker_lines, end, start
from tests.scenario.dsl import App
from tests.scenario.server import Server

EXAMPLE: Final = Path(__file__).parents[2] / "examples/community"
ENVIRONMENTS: Final = ("dev", "stage", "prod")
HOSTS: Final = {"stage": "staging.community.localhost", "prod": "community.localhost"}
BLOCK_SECONDS: Final = 400.0  # two builds and two deploys on a busy machine
LEFT_OUT: Final = ("secrets", ".venv", ".coverage", ".*_cache", "__pycache__", "deployments")
_BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.S | re.M)


def commands_of(page: str) -> list[str]:
    """The shell blocks of a page of the example, in their order."""
    return _BLOCK.findall((EXAMPLE / page).read_text())


@dataclass
class Community(App):
    """One environment of the copy."""

    @property
    def host(self) -> str:
        return HOSTS[self.environment]

    async def version(self) -> tuple[str, str]:
        """The commit that answers, and the environment it says it is."""
        found = json.loads((await self.ask("/api/version")).text)
        return found["version"], found["environment"]

    async def images(self) -> dict[str, str]:
        """What each app service of the live release runs, by digest."""
        done = await self.done("show", self.stack, "--json")
        return {
            item["name"]: item["runs_as"]
            for item in json.loads(done.out)["services"]
            if item["role"] == "routed"
        }


@dataclass
class Checkout:
    """The copy as a git repository of its own, and a shell in it."""

    server: Server
    web: int = 0
    api: int = 0
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.web, self.api = free_ports(2)
        self.stage, self.prod = (Community(self.server, "community", it) for it in HOSTS)

    @property
    def folder(self) -> Path:
        return self.prod.folder

    @property
    def name(self) -> str:
        return self.prod.name

    @property
    def _exchanged(self) -> dict[str, str]:
        """What differs from the pages: ports of this run, and no port of the machine."""
        return {
            "staging.community.localhost:8081": f"staging.community.localhost:{self.server.plain}",
            "https://community.localhost": f"https://community.localhost:{self.server.https}",
            "localhost:5173": f"localhost:{self.web}",
            "127.0.0.1:5173": f"127.0.0.1:{self.web}",
            "FRONTEND_PORT=5173": f"FRONTEND_PORT={self.web}",
            "API_PORT=8375": f"API_PORT={self.api}",
            "REGISTRY=127.0.0.1:5000": f"REGISTRY={self.server.images}",
            "REGISTRY=community\n": f"REGISTRY={self.server.images}\n",
        }

    def write(self) -> None:
        """Copy what is tracked, and name everything after this run."""
        there = self.folder
        shutil.copytree(EXAMPLE, there, ignore=shutil.ignore_patterns(*LEFT_OUT))
        for file in there.glob(".env.*"):
            file.write_text(self._here(file.read_text()))
        for name, old, new in (
            ("berth.yaml", "app: community", f"app: {self.name}"),
            ("berth.yaml", "entrypoint: stage", "entrypoint: plain"),
            ("compose.yml", "name: community-", f"name: {self.name}-"),
            ("Makefile", "--project-name community-", f"--project-name {self.name}-"),
        ):
            self.prod.edit(name, old, new)

    async def commit(self) -> str:
        """Commit everything; the commit is what images are built as."""
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        await self.type("git init --quiet; git add --all")
        await self._done("git", *who, "commit", "--quiet", "--message", "it")
        self.tags.append((await self._done("git", "rev-parse", "HEAD")).out.strip())
        return self.tags[-1]

    async def type(self, text: str, **variables: str) -> str:
        """Type a block into a shell that stops at the first line that fails."""
        done = await self._done("bash", "-euo", "pipefail", "-c", self._here(text), **variables)
        return done.said

    async def try_out(self, *words: str, **variables: str) -> Ended:
        """Run a program in the folder, however it ends."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        settings = str(self.server.root / "settings.toml")
        authorities = os.environ.get("PIP_CERT", "/dev/null")
        more = {"PATH": path, "BERTHMASTER_SETTINGS": settings, "BUILD_CA": authorities}
        there = ("env", "-C", str(self.folder), "--")
        process = await start(*there, *words, env={**more, **variables})
        try:
            return await end(process, seconds=BLOCK_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what the shell had started
            raise

    async def _done(self, *words: str, **variables: str) -> Ended:
        done = await self.try_out(*words, **variables)
        assert done.code == 0, f"{words[-1]}\nexit {done.code}\n{done.said}"
        return done

    def _here(self, text: str) -> str:
        for old, new in self._exchanged.items():
            text = text.replace(old, new)
        return text

    async def used(self, environment: str) -> dict[str, set[str]]:
        """Names of an environment's containers, and of the networks and volumes they are in."""
        found: dict[str, set[str]] = {"container": set(), "network": set(), "volume": set()}
        for one in await self._described(environment):
            found["container"].add(one["Name"])
            found["network"] |= set(one["NetworkSettings"]["Networks"])
            found["volume"] |= {item["Name"] for item in one["Mounts"] if item["Type"] == "volume"}
        return found

    async def published(self, environment: str) -> set[tuple[str, str]]:
        """Addresses and ports of the machine that an environment's containers listen on."""
        described = await self._described(environment)
        bound = [item["HostConfig"]["PortBindings"] or {} for item in described]
        every = [one for ports in bound for binding in ports.values() for one in binding]
        return {(one["HostIp"], one["HostPort"]) for one in every}

    async def _described(self, environment: str) -> list[dict[str, Any]]:
        mine = {
            "dev": f"com.docker.compose.project={self.name}-dev",
            "stage": f"berthmaster.stack={self.stage.stack}",
            "prod": f"berthmaster.stack={self.prod.stack}",
        }
        wanted = ("--all", "--quiet", "--filter", f"label={mine[environment]}")
        ids = await docker_lines("container", "ls", *wanted)
        described: list[dict[str, Any]] = json.loads(await docker("inspect", *ids)) if ids else []
        return described

    async def destroy(self) -> None:
        """Remove everything of the copy, containers one by one, and its images."""
        await self.server.remove_app(self.name)
        mine = ("--quiet", "--filter", f"label=com.docker.compose.project={self.name}-dev")
        for kind, every, remove in (
            ("container", ("--all",), ("rm", "--force")),
            ("network", (), ("rm",)),
            ("volume", (), ("rm",)),
        ):
            for found in await docker_lines(kind, "ls", *every, *mine):
                await docker(kind, *remove, found, code=None)
        images = [
            f"{self.server.images}/community-{part}:{tag}"
            for tag in (*self.tags, "dev")
            for part in ("api", "frontend")
        ]
        await docker("image", "rm", *images, code=None)


def follow_readme(server: Server) -> Checkout:
    """Do what the README says, up to three environments on one commit."""
    made = Checkout(server)
    try:
        asyncio.run(_follow(made))
    except BaseException:
        asyncio.run(made.destroy())
        raise
    return made


async def _follow(made: Checkout) -> None:
    made.write()
    await made.commit()
    development, _down, secrets, release, *_plain_compose = commands_of("README.md")
    for block in (development, secrets, release):
        await made.type(block)
