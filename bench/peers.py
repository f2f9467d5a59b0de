"""How others replace a running service, for `scripts/bench load`: the same app, one container each.

Each peer says in `note` exactly what it ran. Health is asked for wherever the peer can use it. The
two that need a balancer get a HAProxy that finds the containers by Docker's own DNS, asks their
health every half second and sends a refused connection to another one: nobody here adds retries.
"""

import asyncio
import json
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from tests.scenario.commands import docker, end, start
from tests.scenario.server import Server, until

from bench.load import Load, run
from bench.mixture import Target

HEALTH = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=2).close()"
GRACE = "15s"  # for requests in hand, as in our own runs
COMPOSE_YAML = """\
name: NAME
services:
  web:
    image: IMAGES/app:${TAG}
    stop_grace_period: GRACE
    healthcheck: {test: [CMD, python3, -c, "HEALTH"], interval: 1s, timeout: 3s, retries: 3}
PORTS
"""
BALANCER = """\
global
  maxconn 4000
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout check 5s
  timeout tunnel 1h
  option redispatch
  retries 3
resolvers docker
  nameserver dns 127.0.0.11:53
  timeout resolve 200ms
  timeout retry 200ms
  hold valid 200ms
  hold obsolete 0s
frontend all
  bind :8000
  default_backend web
backend web
  option httpchk GET /health
  default-server check inter 500ms fall 2 rise 1 resolvers docker init-addr none
  server-template web 4 web:8000
"""


class Peer(ABC):
    """One way to replace a service: `begin`, any number of `deploy`s, `end`."""

    name: ClassVar[str]
    note: ClassVar[str]

    def __init__(self, made: Server) -> None:
        self.made = made
        self.key = f"peer{os.getpid()}{type(self).__name__.lower()}"
        self.folder = made.root / self.key
        self.folder.mkdir()

    @abstractmethod
    async def begin(self) -> Target:
        """Bring v1 up; gives where it answers."""

    @abstractmethod
    async def deploy(self, tag: str) -> None:
        """Replace what runs, and wait for the command's end."""

    @abstractmethod
    async def end(self) -> None:
        """Take everything away."""


class PlainCompose(Peer):
    """What people do today."""

    name = "docker compose up -d"
    note = "docker compose up --detach --wait, a published port, a healthcheck of 1 s"

    async def begin(self) -> Target:
        self.write("    ports: ['127.0.0.1:4100:8000']")
        await self.compose("v1", "up", "--detach", "--wait")
        return Target("127.0.0.1", 4100, "peer.test")

    async def deploy(self, tag: str) -> None:
        await self.compose(tag, "up", "--detach", "--wait", "--pull", "never")

    async def end(self) -> None:
        await self.compose("v1", "down", "--timeout", "1")

    def write(self, ports: str = "") -> None:
        """The Compose file that plain Compose and docker-rollout share."""
        text = COMPOSE_YAML.replace("NAME", self.key).replace("IMAGES", self.made.images)
        text = text.replace("GRACE", GRACE).replace("HEALTH", HEALTH).replace("PORTS", ports)
        (self.folder / "compose.yaml").write_text(text)

    async def compose(self, tag: str, *words: str) -> None:
        await command(
            *("docker", "compose", "--project-directory", str(self.folder), *words), TAG=tag
        )


class DockerRollout(PlainCompose):
    """The Compose plugin that starts a second container, waits for its health, stops the first."""

    name = "docker-rollout"
    note = "docker rollout web (v0.13, as published), healthcheck of 1 s, behind the HAProxy"
    script: Path  # its only file; it is never part of this repository

    async def begin(self) -> Target:
        self.write()
        await self.compose("v1", "up", "--detach", "--wait")
        return await balance(self, f"{self.key}_default")

    async def deploy(self, tag: str) -> None:
        await command("sh", str(self.script), "rollout", "web", folder=self.folder, TAG=tag)

    async def end(self) -> None:
        await docker("rm", "--force", f"{self.key}-balancer", code=None)
        await super().end()


class SwarmStartFirst(Peer):
    """A Swarm service that starts the new task before it stops the old one."""

    name = "docker swarm, start-first"
    note = (
        "docker service update --update-order start-first, health-cmd of 1 s, endpoint mode dnsrr "
        "(no IPVS in this kernel, hence no routing mesh), overlay network, behind the HAProxy"
    )

    async def begin(self) -> Target:
        await docker("swarm", "init", "--advertise-addr", await _bridge_address())
        await docker("network", "create", "--driver", "overlay", "--attachable", self.key)
        await docker(
            *("service", "create", "--name", "web", "--network", self.key, "--no-resolve-image"),
            *("--endpoint-mode", "dnsrr", "--stop-grace-period", GRACE, "--health-interval", "1s"),
            *("--health-cmd", f'python3 -c "{HEALTH}"', "--health-retries", "3", "--quiet"),
            *("--update-order", "start-first", "--update-monitor", "2s", self._image("v1")),
        )
        return await balance(self, self.key)

    async def deploy(self, tag: str) -> None:
        await docker(
            *("service", "update", "--image", self._image(tag), "--no-resolve-image"),
            *("--update-order", "start-first", "--quiet", "web"),
        )

    async def end(self) -> None:
        await docker("rm", "--force", f"{self.key}-balancer", code=None)
        await docker("service", "rm", "web", code=None)
        await docker("swarm", "leave", "--force", code=None)

    def _image(self, tag: str) -> str:
        return f"{self.made.images}/app:{tag}"


async def balance(peer: Peer, network: str) -> Target:
    """HAProxy in the peer's network and in the default bridge, where the load reaches it."""
    name, file = f"{peer.key}-balancer", peer.folder / "haproxy.cfg"
    file.write_text(BALANCER)
    file.chmod(0o644)
    await docker(
        *("run", "--detach", "--name", name, "--network", network, "--entrypoint", "haproxy"),
        *("--volume", f"{file}:/haproxy.cfg:ro", "berthmaster/haproxy:2.6", "-f", "/haproxy.cfg"),
    )
    await docker("network", "connect", "bridge", name)
    networks = json.loads(
        await docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", name)
    )
    target = Target(networks["bridge"]["IPAddress"], 8000, "peer.test")
    await until(lambda: answers(target), seconds=60)
    return target


async def answers(target: Target) -> bool:
    """Whether it answers 200 now."""
    tally = await run(
        Load(target.address, target.port, target.host, clients=1, requests=1, timeout_seconds=2)
    )
    await asyncio.sleep(0.1)
    return tally.statuses[200] == 1


async def command(*words: str, folder: Path | None = None, **variables: str) -> None:
    """Run to its end; raises with what it said when it fails."""
    if folder is not None:
        words = ("env", f"--chdir={folder}", *words)
    ended = await end(await start(*words, env=variables))
    if ended.code:
        raise RuntimeError(f"{' '.join(words)}: {ended.said}")


async def _bridge_address() -> str:
    """Of the engine's own bridge: there is no other address in a namespace of its own."""
    ended = await end(await start("ip", "-json", "-4", "address", "show", "docker0"))
    return str(json.loads(ended.out)[0]["addr_info"][0]["local"])
