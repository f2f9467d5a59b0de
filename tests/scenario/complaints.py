"""The reference app of `examples/complaints` on the scenarios' server: a copy, and its clients.

The copy has a name of this run, so that no two runs share a project; everything else of it is as in
the example, and both versions are built from it and pushed to the run's registry.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.load import Load
from tests.scenario.commands import docker, docker_lines, end, start
from tests.scenario.dsl import App
from tests.scenario.server import Server

EXAMPLE: Final = Path(__file__).parents[2] / "examples/complaints"
SUFFIX: Final = "complaints.example.com"
_LEFT_OUT: Final = ("tests", "clients", ".venv", ".*_cache", "__pycache__", "secrets")
_BUILD_SECONDS: Final = 240.0  # without a cache, and on a busy machine
MEND: Final = "UPDATE complaints SET account_ref = '7' WHERE account_ref !~ '^(ACC-)?[0-9]*$'"
_BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.S | re.M)
_HURRIED: Final = "\nretention: {watch: 2s, warm: 1m}\n"


def commands_of(heading: str) -> list[str]:
    """The shell blocks below a heading of the README, in their order."""
    page = (EXAMPLE / "README.md").read_text()
    (part,) = [one for one in page.split("\n## ") if one.startswith(heading)]
    return _BLOCK.findall(part)


@dataclass
class Client(App):
    """One client of the company: an application and a PostgreSQL."""

    tenant: str = ""

    @property
    def stack(self) -> str:
        return f"{self.name}@prod/{self.tenant}"

    @property
    def project(self) -> str:
        return f"{self.name}-prod-{self.tenant}"

    @property
    def host(self) -> str:
        return f"{self.tenant}.{SUFFIX}"

    async def runs(self) -> str:
        """The version that answers."""
        return (await self.ask("/version")).headers.get("x-app-version", "")

    async def psql(self, statement: str) -> str:
        words = ("psql", "-U", "cms", "-d", "cms", "-Atc", statement)
        return await self.exec(f"{self.project}-db-1", *words)

    async def seed(self, *more: str) -> None:
        """People and complaints for a trial, by the application itself."""
        (app,) = [name for name in await self.containers() if "-app-" in name]
        await self.exec(app, "python", "-m", "cms", "seed", *more)

    def requests(self, seconds: float, *, path: str = "/", rate: float = 20) -> Load:
        """A steady load, on connections kept alive."""
        return Load(
            "127.0.0.1",
            self.server.https,
            self.host,
            path,
            clients=4,
            rate=rate,
            seconds=seconds,
            is_tls=True,
            ca_file=self.server.ca_file,
            version_header="x-app-version",
        )


@dataclass
class Complaints:
    """The copy: its folder and its commands."""

    server: Server
    app: App
    exchanged: dict[str, str] = field(default_factory=dict)

    @classmethod
    def copied(cls, server: Server) -> "Complaints":
        """Copy the example and name it after this run."""
        app = App(server, "complaints")
        ignored = shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(EXAMPLE, app.folder, ignore=ignored, dirs_exist_ok=True)
        app.edit("berth.yaml", "app: complaints", f"app: {app.name}")
        app.edit(".env.prod", "REGISTRY=127.0.0.1:5000", f"REGISTRY={server.images}")
        return cls(server, app)._named()

    def _named(self) -> "Complaints":
        """What differs from the page: this run's registry, port, folders and name."""
        return self.exchange(
            {
                "REGISTRY=127.0.0.1:5000": f"REGISTRY={self.server.images}",
                ".example.com:443": f".example.com:{self.server.https}",
                f"https://acme.{SUFFIX}/": f"https://acme.{SUFFIX}:{self.server.https}/",
                "/var/lib/berthmaster/": f"{self.server.state}/",
                "complaints-prod": f"{self.app.name}-prod",
                "complaints@prod": f"{self.app.name}@prod",
            }
        )

    def exchange(self, texts: Mapping[str, str]) -> "Complaints":
        """Type something else for a piece of the page."""
        self.exchanged |= texts
        return self

    def hurried(self) -> "Complaints":
        """Short watches and drains: what a person may wait for, a test does not."""
        self.app.edit("berth.yaml", "drain: 20s", "drain: 2s")
        with (self.app.folder / "berth.yaml").open("a") as file:
            file.write(_HURRIED)
        return self

    async def type(self, text: str, *, code: int = 0, seconds: float = _BUILD_SECONDS) -> str:
        """Type a block into a shell that stops at the first line that fails."""
        for old, new in self.exchanged.items():
            text = text.replace(old, new)
        variables = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "BERTHMASTER_SETTINGS": str(self.server.root / "settings.toml"),
            "BUILD_CA": os.environ.get("PIP_CERT", "/dev/null"),
        }
        line = ("env", "-C", str(self.app.folder), "bash", "-euo", "pipefail", "-c", text)
        done = await end(await start(*line, env=variables), seconds=seconds)
        assert done.code == code, f"{text}\nexit {done.code}\n{done.said}"
        return done.said

    def client(self, tenant: str) -> Client:
        """One of its clients, there or not."""
        return Client(self.server, "complaints", tenant=tenant)

    async def build(self, *versions: str) -> None:
        """Build versions as the Compose file says it, and push them to the run's registry."""
        for version in versions:
            await self.compose("build", "--quiet", "app", version=version)
            await self.compose("push", "--quiet", "app", version=version)

    async def compose(self, *words: str, version: str = "v1") -> None:
        """Plain Compose in the folder; raises when it fails."""
        there = ("--project-directory", str(self.app.folder), "--file", "docker-compose.yml")
        variables = {
            "REGISTRY": self.server.images,
            "IMAGE_TAG": version,
            "BUILD_CA": os.environ.get("PIP_CERT", "/dev/null"),
        }
        line = ("env", "-C", str(self.app.folder), "docker", "compose", *there, *words)
        done = await end(await start(*line, env=variables), seconds=_BUILD_SECONDS)
        assert done.code == 0, f"{' '.join(words)}: {done.said}"

    async def listed(self, *more: str) -> list[dict[str, Any]]:
        """What `tenant list` says."""
        done = await self.app.done("tenant", "list", "prod", *more, "--json")
        found: list[dict[str, Any]] = json.loads(done.out)["tenants"]
        return found

    async def leftovers(self) -> list[str]:
        """What Docker, the store and the state folder still know of any client."""
        mine = f"{self.app.name}-prod"
        found = list[str]()
        for kind, form in (("container", "{{.Names}}"), ("network", "{{.Name}}")):
            more = ("--all",) if kind == "container" else ()
            found += await docker_lines(
                kind, "ls", *more, "--filter", f"name={mine}", "--format", form
            )
        found += await docker_lines("volume", "ls", "--quiet", "--filter", f"name={mine}")
        for table, column in (
            ("stacks", "id"),
            ("tenants", "stack"),
            ("domains", "host"),
            ("subnets", "owner"),
            ("slots", "owner"),
        ):
            rows = self.server.rows(f"SELECT {column} FROM {table}")
            found += [f"{table} {row[0]}" for row in rows if _is_of(str(row[0]), self.app.name)]
        for part in ("stacks", "sites", "dumps", "tenants"):
            folder = self.server.state / part
            found += [str(path) for path in folder.glob(f"{mine}*/**/*") if path.is_file()]
        return found

    async def remove_images(self) -> None:
        """The tags of this run; layers stay for the next build."""
        tags = [f"{self.server.images}/complaints-app:{version}" for version in ("v1", "v2")]
        await docker("image", "rm", *tags, code=None)


def _is_of(row: str, name: str) -> bool:
    return row.startswith(name) or row.endswith(SUFFIX)
