"""A server of the scenarios' own: state folder, ports, addresses, gateway, registry.

Everything it makes carries its run's name, and `destroy` removes exactly that.
"""

import asyncio
import contextlib
import http.client
import os
import shutil
import socket
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.apart import free_ports, own_number
from tests.pebble import Authority
from tests.scenario.commands import (
    Ended,
    docker,
    docker_lines,
    end,
    remove_containers,
    start,
)

HERE = Path(__file__).parent
BLOCK = f"10.{224 + own_number(16)}.0.0/16"  # another one for each process beside this
VERSIONS = ("v1", "v2", "v3")


@dataclass
class Server:
    """One installation of Berthmaster, used through its command only."""

    run: str = field(default_factory=lambda: uuid.uuid4().hex[:4])
    root: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="bs-")))
    plain: int = 0
    https: int = 0
    registry_port: int = 0
    ask_port: int = 0
    backends: int = 60  # of the router's pool: more than one for each release that is attached
    block: str = BLOCK
    versions: tuple[str, ...] = VERSIONS  # of the test app, in the registry
    authority: Authority | None = None  # None: the edge's own

    @property
    def state(self) -> Path:
        return self.root / "s"

    @property
    def ca_file(self) -> Path:
        return self.state / "gateway/caddy/data/pki/authorities/local/root.crt"

    @property
    def router(self) -> str:
        return f"sc{self.run}-router"

    @property
    def edge(self) -> str:
        return f"sc{self.run}-edge"

    @property
    def ask(self) -> str:
        """Container name of the ask responder."""
        return f"sc{self.run}-ask"

    @property
    def registry(self) -> str:
        return f"sc{self.run}-registry"

    @property
    def images(self) -> str:
        return f"127.0.0.1:{self.registry_port}/sc{self.run}"

    async def set_up(self) -> None:
        """Bring registry, images and gateway up."""
        self.write_settings()
        await self._start_registry()
        await asyncio.gather(*(self._build(version) for version in self.versions))
        for words in (("server", "prepare"), ("gateway", "up")):
            done = await self.berth(*words)
            assert done.code == 0, done.said

    def write_settings(self) -> None:
        """Choose ports and write them down; nothing is started."""
        self.plain, self.https, self.ask_port, self.registry_port = free_ports(4)
        (self.root / "settings.toml").write_text(
            f'state_folder = "{self.state}"\naddress_block = "{self.block}"\n'
            "disk_floor_percent = 1\n"
            f'docker_host = "{os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")}"\n'
            f"[pool]\nbackends = {self.backends}\nservers = 4\n"
            f'[gateway]\ncontainer_prefix = "sc{self.run}"\nask_port = {self.ask_port}\n'
            f"{self._authority_settings()}"
            f'[[entrypoints]]\nname = "https"\nport = {self.https}\ntls = "{self._tls}"\n'
            f'[[entrypoints]]\nname = "plain"\nport = {self.plain}\n'
        )

    @property
    def _tls(self) -> str:
        return "local" if self.authority is None else "acme"

    def _authority_settings(self) -> str:
        if self.authority is None:
            return ""
        return (
            f'acme_directory = "{self.authority.directory}"\n'
            f'acme_ca_root = "{self.authority.ca_root}"\nacme_email = "ops@example.com"\n'
        )

    async def _start_registry(self) -> None:
        await docker(
            *(
                "run",
                "--detach",
                "--name",
                self.registry,
                "--label",
                f"berthmaster.test={self.run}",
            ),
            *("--publish", f"127.0.0.1:{self.registry_port}:5000", "berthmaster/registry:2"),
        )
        await until(lambda: asyncio.to_thread(is_answering, self.registry_port))

    async def _build(self, version: str) -> None:
        image = f"{self.images}/app:{version}"
        await docker(
            *("build", "--quiet", "--build-arg", f"VERSION={version}"),
            *("--tag", image, str(HERE / "app")),
        )
        await docker("push", "--quiet", image)

    async def berth(self, *words: str, env: Mapping[str, str] | None = None) -> Ended:
        """Run the command to its end."""
        return await end(await self.start(*words, env=env))

    async def start(
        self, *words: str, env: Mapping[str, str] | None = None
    ) -> asyncio.subprocess.Process:
        """Start the command in a process of its own."""
        variables = {"BERTHMASTER_SETTINGS": str(self.root / "settings.toml"), **(env or {})}
        return await start(str(Path(sys.executable).with_name("berth")), *words, env=variables)

    async def start_at(self, terminal: int, *words: str) -> asyncio.subprocess.Process:
        """Start the command with a terminal of its own: whoever closes the other end hangs up."""
        return await asyncio.create_subprocess_exec(
            *("setsid", "--ctty", str(Path(sys.executable).with_name("berth")), *words),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**os.environ, "BERTHMASTER_SETTINGS": str(self.root / "settings.toml")},
        )

    def rows(self, query: str, *values: str | int) -> list[tuple[object, ...]]:
        """What the store says."""
        address = f"file:{self.state / 'store.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            return connection.execute(query, values).fetchall()

    async def destroy(self) -> None:
        """Remove what this run made, by its labels and its names; never more."""
        if self.registry_port and (self.state / "store.db").exists():
            for row in self.rows("SELECT id FROM stacks"):
                await remove_by_label(str(row[0]))
        for name in (self.router, self.edge, self.ask, self.registry):
            await docker("rm", "--force", "--volumes", name, code=None)
        tags = [f"{self.images}/app:{version}" for version in self.versions]
        if tags:
            await docker("image", "rm", *tags, code=None)
        await self._remove_firewall_hooks()
        shutil.rmtree(self.root, ignore_errors=True)

    async def remove_app(self, name: str) -> None:
        """Destroy an app's stacks as a person would; by their label when that does not work."""
        for row in self.rows("SELECT id FROM stacks WHERE id LIKE ?", f"{name}@%"):
            stack = str(row[0])
            await self.berth("destroy", stack, "--confirm", stack)
            await remove_by_label(stack)

    async def _remove_firewall_hooks(self) -> None:
        rules = (await end(await start("iptables", "-S"))).out.splitlines()
        for rule in rules:
            if rule.startswith("-A ") and f"-s {self.block} " in rule:
                await end(await start("iptables", "-D", *rule.split()[1:]))
        for option in ("-F", "-X"):
            await end(await start("iptables", option, f"BERTH-{self.block.replace('/', '-')}"))


async def remove_by_label(stack: str) -> None:
    """Remove every object that carries the stack's name."""
    wanted = f"label=berthmaster.stack={stack}"
    await remove_containers(wanted)
    for kind in ("network", "volume"):
        if found := await docker_lines(kind, "ls", "--quiet", "--filter", wanted):
            await docker(kind, "rm", *found, code=None)


def is_open(port: int, address: str = "127.0.0.1") -> bool:
    with socket.socket() as one:
        return one.connect_ex((address, port)) == 0


def is_answering(port: int) -> bool:
    """Whether HTTP is spoken: Docker opens a published port before anybody listens behind it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 200
    return False


async def until(condition: object, *, seconds: float = 60.0) -> None:
    """Wait until a function (plain or async) says yes."""
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.02)
