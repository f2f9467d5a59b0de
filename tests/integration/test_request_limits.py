"""A service with a limit of requests, behind the real router: what waits, what is refused, and who
notices nothing of it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from bench.load import Load, Tally, run, running
from tests.gateway import HOST, STACK, Gateway, gateway
from tests.integration.test_gateway import docker, until_up
from tests.scenario.server import until

from berthmaster.adapters.haproxy.table import WAITING
from berthmaster.domain.routing import Backend, HostClaim, Prefix

pytestmark = pytest.mark.docker

LIMIT = 5
BESIDE, BESIDE_HOST = "blog-prod", "blog.test"


@dataclass
class Slow:
    """An app that counts what it is asked at once, and answers when it is let."""

    address: str = ""
    now: int = 0
    most: int = 0
    probes: int = 0  # how often `/probe` was asked
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.now += 1
                self.most = max(self.most, self.now)
                self.probes += b"GET /probe" in head
                await self.go_on.wait()
                self.now -= 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
        writer.close()


@asynccontextmanager
async def slow() -> AsyncIterator[Slow]:
    made = Slow()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, backlog=1024)
    made.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()


async def publish(made: Gateway, stack: str, host: str, backend: Backend) -> None:
    release = f"{stack}/r1"
    await made.router.claim_hosts([HostClaim("plain", host, stack)], fence=1)
    await made.router.attach(stack, [backend], [Prefix(release, "/", backend.slot)], fence=1)
    await made.router.switch(stack, release, fence=1)


@dataclass
class Scene:
    gateway: Gateway
    noisy: Slow
    quiet: Slow

    def load(self, host: str, clients: int, *, requests: int | None = None) -> Load:
        port = self.gateway.port("plain")
        return Load("127.0.0.1", port, host, clients=clients, requests=requests, seconds=60)

    async def ask_beside(self) -> Tally:
        """What the neighbour's visitors get meanwhile."""
        return await run(self.load(BESIDE_HOST, 4, requests=200))

    async def ask(self, path: str, *headers: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.port("plain"))
        lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}", "Connection: close", *headers, "", ""]
        writer.write("\r\n".join(lines).encode())
        text = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return text

    async def waiting(self, count: int) -> None:
        """Until so many requests are in the slot's queue."""
        async with asyncio.timeout(60):
            while True:
                if await self.gateway.router.waiting(f"{STACK}/r1") == count:
                    return
                await asyncio.sleep(0.02)

    async def begun(self, count: int) -> None:
        """Until so many have come to the app: the router sends them before the app reads them."""
        await until(lambda: self.noisy.now >= count)
        assert self.noisy.now == count


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with gateway() as made, slow() as noisy, slow() as quiet:
        quiet.go_on.set()
        await publish(made, STACK, HOST, Backend(1, (noisy.address,), LIMIT))
        await publish(made, BESIDE, BESIDE_HOST, Backend(2, (quiet.address,)))
        yield Scene(made, noisy, quiet)


async def test_what_is_over_the_limit_waits_and_nothing_is_lost(scene: Scene) -> None:
    load = scene.load(HOST, 40, requests=400)
    task = asyncio.create_task(run(load))
    await scene.waiting(40 - LIMIT)
    await scene.begun(LIMIT)
    beside = await scene.ask_beside()
    assert (beside.lost, beside.statuses) == (0, {200: 200}), beside.summary()
    scene.noisy.go_on.set()
    tally = await task
    assert (tally.lost, tally.statuses) == (0, {200: 400}), tally.summary()
    assert scene.noisy.most == LIMIT


@pytest.mark.requirement("R250")
async def test_a_queue_has_an_end_and_the_neighbour_does_not_notice(scene: Scene) -> None:
    async with running(scene.load(HOST, LIMIT + WAITING)) as waits:
        await scene.waiting(WAITING)
        refused = await asyncio.gather(*(scene.ask("/more") for _ in range(20)))
        assert {text.split(b"\r\n")[0] for text in refused} == {b"HTTP/1.1 503 Service Unavailable"}
        assert b"retry-after: 5" in refused[0].lower()
        assert b"It is busy" in refused[0]
        beside = await scene.ask_beside()
        assert beside.statuses == {200: 200}, beside.summary()
        scene.noisy.go_on.set()
    assert waits.lost == 0, waits.summary()
    assert scene.noisy.most == LIMIT


async def test_a_probe_goes_before_all_who_wait(scene: Scene) -> None:
    """Else a deployment of a busy tenant would fail because the tenant is busy."""
    async with running(scene.load(HOST, LIMIT + WAITING)):
        await scene.waiting(WAITING)
        probe = asyncio.create_task(scene.ask("/probe", "X-Berth-Probe: 1"))
        await scene.waiting(WAITING + 1)
        scene.noisy.go_on.set()
        assert (await probe).startswith(b"HTTP/1.1 200")
    assert scene.noisy.probes == 1


async def test_a_limit_changes_while_requests_wait_and_outlives_a_restart(scene: Scene) -> None:
    process = (await scene.gateway.router._runtime.info())["Pid"]
    async with running(scene.load(HOST, 20)) as tally:
        await scene.waiting(20 - LIMIT)
        raised = Backend(1, (scene.noisy.address,), 15)
        await scene.gateway.router.attach(STACK, [raised], [Prefix(f"{STACK}/r1", "/", 1)], fence=1)
        await scene.waiting(5)
        await scene.begun(15)
        scene.noisy.go_on.set()
    assert tally.lost == 0, tally.summary()
    assert scene.noisy.most == 15
    assert (await scene.gateway.router._runtime.info())["Pid"] == process  # nothing was reloaded
    before = await scene.gateway.router.table()
    await docker("restart", "-t", "1", f"{scene.gateway.prefix}router")
    await until_up(scene.gateway)
    assert await scene.gateway.router.table() == before
    assert before.backends[0].limit == 15
    assert (await scene.gateway.router.status()).differences == ()
