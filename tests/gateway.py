"""A real gateway for tests, with its own folder, ports and names, and small upstreams."""

import asyncio
import contextlib
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.apart import free_ports

from berthmaster.adapters.ask.budget import Limits
from berthmaster.adapters.caddy.config import EdgeOptions
from berthmaster.adapters.gateway import DockerGateway, GatewayOptions
from berthmaster.adapters.haproxy import HaproxyRouter, PoolSize
from berthmaster.domain.routing import Backend, Entrypoint, HostClaim, Prefix, Tls

STACK = "shop-prod"
HOST = "shop.test"
POOL = PoolSize(backends=20, servers_per_backend=2)


@dataclass
class Gateway:
    """What a test needs of a running gateway."""

    folder: Path
    processes: DockerGateway
    router: HaproxyRouter
    entrypoints: tuple[Entrypoint, ...]
    prefix: str
    options: GatewayOptions = field(default_factory=GatewayOptions)

    def with_images(self, router: str | None, edge: str | None) -> DockerGateway:
        """The same gateway as its next `up` would make it from other images."""
        options = replace(self.options, router_image=router, edge_image=edge)
        return DockerGateway(self.folder, options)

    def port(self, name: str) -> int:
        return next(item.port for item in self.entrypoints if item.name == name)

    @property
    def ca_file(self) -> Path:
        return self.folder / "caddy/data/pki/authorities/local/root.crt"

    async def publish(self, number: int, upstream: str, *, fence: int = 1) -> str:
        """Attach a release that one upstream answers, in the slot of its number."""
        release = f"{STACK}/r{number}"
        backend = Backend(number, (upstream,))
        await self.router.attach(STACK, [backend], [Prefix(release, "/", number)], fence=fence)
        return release

    async def claim(self, *hosts: str) -> None:
        claims = [
            HostClaim(item.name, host, STACK)
            for item in self.entrypoints
            if not item.redirect_to
            for host in hosts
        ]
        await self.router.claim_hosts(claims, fence=1)


@asynccontextmanager
async def gateway(
    *,
    tls: Tls = Tls.LOCAL,
    edge: EdgeOptions | None = None,
    redirects: bool = True,
    images: tuple[str, str] | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[Gateway]:
    """Start a gateway with entrypoints of each kind; remove every trace after."""
    root = Path(tempfile.mkdtemp(prefix="berth-"))
    plain, trusting, redirect, secure, ask = free_ports(5)
    entrypoints = (
        Entrypoint("plain", plain),
        Entrypoint("tunnel", trusting, trusted_proxies=("127.0.0.0/8",)),
        *([Entrypoint("http", redirect, redirect_to="https")] if redirects else []),
        Entrypoint("https", secure, tls=tls),
    )
    prefix = f"berthtest-{uuid.uuid4().hex[:8]}-"
    router_image, edge_image = images or (None, None)
    options = GatewayOptions(
        router_image=router_image,
        edge_image=edge_image,
        name_prefix=prefix,
        labels={"berthmaster.test": "gateway"},
        pool=POOL,
        limits=limits or Limits(),
        edge=replace(edge or EdgeOptions(), ask_port=ask),
    )
    folder = root / "gateway"
    made = Gateway(
        folder,
        DockerGateway(folder, options),
        HaproxyRouter(folder, entrypoints, POOL),
        entrypoints,
        prefix,
        options,
    )
    try:
        await made.processes.up(entrypoints)
        yield made
    finally:
        await made.processes.down()
        shutil.rmtree(root, ignore_errors=True)


@dataclass
class Upstream:
    """A tiny HTTP/1.1 server that says its name and remembers the last request's head."""

    name: str
    address: str = ""
    heads: list[str] = field(default_factory=list)
    count: int = 0  # of requests that came
    dropped: list[str] = field(default_factory=list)  # first lines read and never answered
    begun: asyncio.Event = field(default_factory=asyncio.Event)  # a held request has arrived
    go_on: asyncio.Event = field(default_factory=asyncio.Event)  # held requests may be answered
    events: asyncio.Queue[str] = field(default_factory=asyncio.Queue)  # `/events`; "" ends it


@asynccontextmanager
async def upstream(name: str, *, answers: int | None = None) -> AsyncIterator[Upstream]:
    """Serve on a loopback address; `/held` waits for `go_on`, `/socket` upgrades and echoes,
    `/events` streams what is put into `events`.

    After `answers` answers a connection takes one request more and closes without a word, as an
    application server does whose keep-alive ran out at that moment.
    """
    made = Upstream(name)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        given = 0
        with contextlib.suppress(OSError, EOFError):
            while given != answers and await _answer(made, reader, writer):
                given += 1
            if given == answers:
                made.dropped.append((await _read(reader)).split("\r\n")[0])
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()


async def _read(reader: asyncio.StreamReader) -> str:
    """A request's head, when its body has been read too."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lower = head.lower()
    if "content-length:" in lower:
        await reader.readexactly(int(lower.split("content-length:")[1].split("\r\n")[0]))
    return head


async def _answer(
    made: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    head = await _read(reader)
    made.heads[:] = [head]
    made.count += 1
    path = head.split(" ", 2)[1]
    if path == "/socket":
        await _echo(reader, writer)
        return False
    if path == "/events":
        await _stream(made, writer)
        return False
    if path == "/held":
        made.begun.set()
        await made.go_on.wait()
    body = f"{made.name} {path}".encode()
    lines = f"HTTP/1.1 200 OK\r\nX-Version: {made.name}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(lines.encode() + body)
    await writer.drain()
    return True


async def _stream(made: Upstream, writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    while text := await made.events.get():
        event = f"data: {text}\n\n".encode()
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n"
    )
    while data := await reader.read(1024):
        writer.write(data)
        await writer.drain()
