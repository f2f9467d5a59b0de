"""A Compose project behind a proxy of its owner, who has a certificate and visitors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from bench.load import Load, run
from tests.scenario.commands import Ended, docker, end, remove_project, start
from tests.scenario.dsl import App

TRAEFIK_TLS = "tls: {certificates: [{certFile: /tls/cert.pem, keyFile: /tls/key.pem}]}\n"


class Kind(StrEnum):
    """What the owner's proxy is."""

    NGINX = "nginx"
    CADDY = "caddy"
    TRAEFIK = "traefik"
    PLAIN = "plain"  # nginx without TLS


@dataclass
class Proxied:
    """A project as its owner started it, behind its owner's proxy."""

    app: App
    port: int
    kind: Kind = Kind.NGINX

    @property
    def project(self) -> str:
        return f"{self.app.name}x"

    @property
    def proxy(self) -> str:
        return f"{self.project}-proxy-1"

    @property
    def tls(self) -> Path:
        return self.app.folder / "tls"

    async def compose(self, *words: str) -> str:
        where = ("--project-name", self.project, "--project-directory", str(self.app.folder))
        env_file = str(self.app.folder / ".env.prod")
        return await docker("compose", *where, "--env-file", env_file, *words)

    async def seen(self) -> Any:
        """What its owner can see of the proxy, but when it started and where that left it."""
        (found,) = json.loads(await docker("inspect", self.proxy))
        state = {key: found["State"][key] for key in ("Running", "Restarting", "OOMKilled")}
        kept = {key: found[key] for key in ("Id", "Config", "HostConfig")}
        mounts = sorted(found["Mounts"], key=lambda item: str(item["Destination"]))
        ports = found["NetworkSettings"]["Ports"]
        return {**kept, "Mounts": mounts, "State": state, "Ports": ports}

    def load(self, *, keeps_alive: bool) -> Load:
        """Visitors at the port that they always dialled, who trust the owner's certificate."""
        return Load(
            *("127.0.0.1", self.port, self.app.host),
            clients=4,
            rate=60,
            seconds=60.0,
            keeps_alive=keeps_alive,
            is_tls=self.kind is not Kind.PLAIN,
            ca_file=self.tls / "cert.pem",
            notices_close=True,
        )

    async def replace(self, *words: str, env: Mapping[str, str] | None = None) -> Ended:
        named = ("--replace-proxy", "--proxy", "proxy")
        return await self.app.berth("adopt", self.project, self.app.stack, *named, *words, env=env)

    async def set_up(self) -> Ended:
        """Start it as its owner did, and adopt it; returns what `--json` said."""
        await self.start()
        return await self.app.done("adopt", self.project, self.app.stack, "--json")

    async def start(self) -> None:
        """As its owner did."""
        await make_certificate(self.tls, self.app.host)
        self._choose()
        await self.compose("up", "--detach", "--quiet-pull")

    def _choose(self) -> None:
        """The files of this kind of proxy in the place of nginx's."""
        folder = self.app.folder
        if self.kind is Kind.CADDY:
            self.app.edit("compose.yaml", "nginx:1.22", "caddy:2.6")
            paths = "proxy.conf:/etc/nginx/conf.d/default.conf", "Caddyfile:/etc/caddy/Caddyfile"
            self.app.edit("compose.yaml", *paths)
        if self.kind in (Kind.TRAEFIK, Kind.PLAIN):
            (folder / f"{self.kind}.yaml").replace(folder / "compose.yaml")
        if self.kind is Kind.TRAEFIK:
            self.dynamic.mkdir()
            (self.dynamic / "tls.yml").write_text(TRAEFIK_TLS)
        if self.kind is Kind.PLAIN:
            self.app.edit("berth.yaml", "hosts:", "entrypoint: plain, hosts:")

    @property
    def dynamic(self) -> Path:
        """What Traefik reads while it runs."""
        return self.app.folder / "dynamic"

    async def tear_down(self) -> None:
        """Leave nothing, whatever happened."""
        await self.app.berth("rollback", self.app.stack, "--to", "r0")
        await self.app.berth("adopt", self.project, self.app.stack, "--undo")
        await self.app.berth("cert", "remove", self.app.host)
        await remove_project(self.project)

    async def bring_certificate(self) -> None:
        """Give the gateway its owner's certificate."""
        pair = (str(self.tls / "cert.pem"), str(self.tls / "key.pem"))
        await self.app.done("cert", "import", *pair)

    async def version(self) -> str:
        """What answers at the proxy's port."""
        tally = await run(replace(self.load(keeps_alive=False), clients=1, requests=1))
        return next(iter(tally.versions), "")

    async def redirects(self) -> list[str]:
        """Rules that lead this project's port elsewhere."""
        rules = (await end(await start("iptables", "-t", "nat", "-S"))).out.splitlines()
        return [rule for rule in rules if "REDIRECT" in rule and f"--dport {self.port} " in rule]


async def make_certificate(folder: Path, host: str) -> None:
    folder.mkdir()  # noqa: ASYNC240 - once
    done = await end(
        await start(
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *(
                "-nodes",
                "-days",
                "2",
                "-subj",
                f"/CN={host}",
                "-addext",
                f"subjectAltName=DNS:{host}",
            ),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
        )
    )
    assert done.code == 0, done.said
