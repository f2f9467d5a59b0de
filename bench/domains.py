"""10,000 domains of tenants: adding one, asking whether a name may have a certificate, routing.

A pooled app's release stands in the store and in the router's table, answered by a HAProxy of 200
bytes; nothing of it is deployed. Figures with 10,000 domains stand beside the same with 10, and the
responder beside a server that answers 200 to everything, at the same rate with the same tool.
"""

import asyncio
import contextlib
import random
import re
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
from tests import builders
from tests.apart import free_ports
from tests.scenario.commands import docker, end, start
from tests.scenario.server import BLOCK, Server, is_open, until

from bench.backend import start_backend
from bench.process import BERTH, Run, run
from bench.report import Budget, Report
from berthmaster.adapters.clock import SystemClock
from berthmaster.adapters.haproxy import HaproxyRouter, PoolSize
from berthmaster.adapters.store.sqlite import SqliteStore
from berthmaster.domain.names import StackId
from berthmaster.domain.release import ReleaseRoute, Upstream
from berthmaster.domain.routing import Backend, HostClaim, Prefix, RouteTable
from berthmaster.domain.tenancy import Domain

STACK = StackId("shop", "prod")
SUFFIX = "shop.test"
RATE = 1000  # questions a second
BERTH_YAML = """\
app: shop
routes:
  - {path: /, service: web, port: 8000}
tenancy: {mode: pool, domain: shop.test}
environments:
  prod: {hosts: [www.shop-app.test], entrypoint: https}
"""
NOTHING = """\
import asyncio

class Nothing(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        answer = b"HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nknown\\n"
        self.transport.write(answer * data.count(b"\\r\\n\\r\\n"))

async def main():
    await asyncio.get_running_loop().create_server(Nothing, "127.0.0.1", {port})
    await asyncio.Event().wait()

asyncio.run(main())
"""


@dataclass(slots=True)
class Scene:
    """A server without an app's containers, and the row that each figure becomes."""

    server: Server
    back: int  # the backend's port
    report: Report
    count: int = 0  # domains now
    _added: int = 0
    adds: dict[int, list[Run]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.server.root / "shop"

    @property
    def gateway(self) -> Path:
        return self.server.state / "gateway"

    def next_host(self) -> str:
        self._added += 1
        return f"more{self._added}.{SUFFIX}"

    def words(self, host: str) -> tuple[str, ...]:
        """The command that adds a domain."""
        return ("-C", str(self.folder), "domain", "add", "prod", host, "--tenant", host[:-10])

    def add(self, what: str, values: Sequence[float], unit: str) -> None:
        """One row of a few values."""
        self.row(what, statistics.median(values), min(values), max(values), unit)

    def row(
        self, what: str, median: float, least: float, most: float, unit: str, p99: float | str = "-"
    ) -> None:
        cells = (round(x, 3) if isinstance(x, float) else x for x in (median, least, p99, most))
        self.report.rows.append((what, self.count, *cells, unit))


async def measure(*, many: int = 10_000, rounds: int = 15, seconds: int = 10) -> Report:
    """About three minutes."""
    report = Report(
        "domains",
        f"Domains of tenants: 10 and {many:,}",
        ("what", "domains", "median", "least", "p99", "most", "unit"),
    )
    async with _scene(report) as scene:
        before = await _processes(scene)
        for count in (10, many):
            await _fill(scene, count)
            await _measure_adds(scene, rounds)
            await _measure_router(scene, rounds=3, seconds=3)
        await _measure_asks(scene, seconds)
        is_same = await _processes(scene) == before
        adds = scene.adds[many]
        report.budgets += [
            Budget("processes that adding a domain touched", 0 if is_same else 1, 0),
            Budget(
                f"berth domain add, {many:,} domains",
                1000 * statistics.median(one.seconds for one in adds),
                100,
                " ms",
            ),
        ]
    return report


async def _processes(scene: Scene) -> list[str]:
    """Container, first process and start of router, edge and responder."""
    names = (scene.server.router, scene.server.edge, scene.server.ask)
    form = "{{.Id}} {{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}}"
    return [await docker("inspect", "--format", form, name) for name in names]


async def _measure_adds(scene: Scene, rounds: int) -> None:
    """The whole command, and until the router answers for the name."""
    settings = scene.server.root / "settings.toml"
    runs, answers = [], []
    for number in range(rounds + 1):
        host = scene.next_host()
        begin = time.perf_counter()
        one, answered = await asyncio.gather(
            asyncio.to_thread(run, settings, BERTH, *scene.words(host)), _answered(scene, host)
        )
        if number:  # the first compiles
            runs.append(one)
            answers.append(1000 * (answered - begin))
    scene.adds[scene.count] = runs
    scene.add("berth domain add", [1000 * one.seconds for one in runs], "ms")
    scene.add("its processor time", [1000 * one.cpu_seconds for one in runs], "ms")
    scene.add("from its start until the router answers", answers, "ms")


async def _answered(scene: Scene, host: str) -> float:
    """When the router first answers 200 for a host; asked each five milliseconds."""
    connector = aiohttp.UnixConnector(str(scene.gateway / "run/edge-https.sock"))
    async with asyncio.timeout(20), aiohttp.ClientSession(connector=connector) as session:
        while True:
            async with session.get("http://router/", headers={"Host": host}) as answer:
                if answer.status == 200:
                    return time.perf_counter()
            await asyncio.sleep(0.005)


async def _measure_router(scene: Scene, *, rounds: int, seconds: int) -> None:
    """Requests per second through the router, by one host of these."""
    host = f"t{scene.count // 2}.{SUFFIX}"
    rates = []
    for _ in range(rounds):
        url = f"http://127.0.0.1:{scene.server.plain}/"
        words = ("wrk", "-t1", "-c64", f"-d{seconds}s", "-H", f"Host: {host}", url)
        said = (await end(await start(*words))).out
        found = re.search(r"Requests/sec:\s+([\d.]+)", said)
        if not found or "Non-2xx" in said or "Socket errors" in said:
            raise RuntimeError(said)
        rates.append(float(found[1]))
    scene.add("requests through the router", rates, "/s")


async def _measure_asks(scene: Scene, seconds: int) -> None:
    """The responder at a fixed rate, and what the tool sees of a server that does nothing."""
    names = [f"t{number}.{SUFFIX}" for number in range(scene.count)]
    new, known = names[: 2 * RATE], names[2 * RATE :]
    strangers = [f"x{number}.example" for number in range(scene.count)]
    _give_certificates(scene, known)
    port, nothing = scene.server.ask_port, free_ports(1)[0]
    async with _server_of_nothing(nothing):
        await _ask(scene, "a server that says yes to all", nothing, known, seconds)
        p99 = await _ask(scene, "ask: its certificate is there", port, known, seconds)
        await _ask(scene, "ask: unknown name", port, strangers, seconds)
        await _ask(scene, "ask: new order", port, new, len(new) // RATE)
        adding = asyncio.create_task(_add_on_and_on(scene))
        await _ask(scene, "a server that says yes to all, while adding", nothing, known, seconds)
        await _ask(scene, "ask, while domains are added", port, known, seconds)
        adding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await adding
        await _ask(scene, "a server that says yes to all, again", nothing, known, seconds)
    report = scene.report
    report.budgets.append(Budget(f"ask, 99 of 100 at {RATE:,}/s", p99, 2, " ms"))


async def _add_on_and_on(scene: Scene) -> None:
    """One command a second: each replaces the map that the responder reads."""
    while True:
        await scene.server.berth(*scene.words(scene.next_host()))
        await asyncio.sleep(1)


async def _ask(scene: Scene, what: str, port: int, names: Sequence[str], seconds: int) -> float:
    """A row of delays in milliseconds; returns what 99 of 100 stayed below."""
    uris, log = scene.server.root / "uris", scene.server.root / "log"
    random.Random(1).shuffle(order := list(names))
    uris.write_text("".join(f"http://127.0.0.1:{port}/ask?domain={name}\n" for name in order))
    log.unlink(missing_ok=True)
    words = ("h2load", "--h1", "-c1", f"--rps={RATE}", f"-n{RATE * seconds}", "-i", str(uris))
    ended = await end(await start(*words, f"--log-file={log}"))
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    delays = sorted(int(line[2]) / 1000 for line in lines if line[1] in ("200", "403"))
    if len(delays) < RATE * seconds:
        raise RuntimeError(ended.said)
    p99 = delays[len(delays) * 99 // 100]
    scene.row(what, delays[len(delays) // 2], delays[0], delays[-1], "ms", p99=p99)
    return p99


def _give_certificates(scene: Scene, names: Sequence[str]) -> None:
    """The edge's folder as it is when it has one of each of these."""
    issuer = scene.gateway / "caddy/data/certificates/local"
    for name in names:
        (issuer / name).mkdir(parents=True, exist_ok=True)
        (issuer / name / f"{name}.crt").touch()


@asynccontextmanager
async def _server_of_nothing(port: int) -> AsyncIterator[None]:
    """The same loop and transport as the responder's, without a decision."""
    text = NOTHING.format(port=port)
    process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-S", "-c", text)
    try:
        await until(lambda: is_open(port))
        yield
    finally:
        process.kill()
        await process.wait()


async def _fill(scene: Scene, count: int) -> None:
    """So many domains in the store and in the router's table."""
    store = SqliteStore(scene.server.state / "store.db", block=BLOCK, clock=SystemClock())
    names = [f"t{number}" for number in range(count)]
    with store.transaction():
        for name in names:
            store.add_domain(Domain(f"{name}.{SUFFIX}", STACK, name))
        hosts = [item.host for item in store.domains()]
    store.close()
    project, key = STACK.project, STACK.release_key(1)
    plain = HostClaim("plain", f"t{count // 2}.{SUFFIX}", project)
    table = RouteTable(
        hosts=(plain, *(HostClaim("https", host, project) for host in hosts)),
        live={project: key},
        prefixes=(Prefix(key, "/", 1),),
        backends=(Backend(1, (f"127.0.0.1:{scene.back}",)),),
    )
    pool = PoolSize(scene.server.backends, 4)
    await HaproxyRouter(scene.gateway, (), pool).replace_table(table)
    scene.count = count


def _write_app(scene: Scene) -> None:
    """A pooled app whose release the store believes to be live."""
    scene.folder.mkdir()
    (scene.folder / "berth.yaml").write_text(BERTH_YAML)
    (scene.folder / "compose.yaml").write_text("services: {web: {image: x}}\n")
    store = SqliteStore(scene.server.state / "store.db", block=BLOCK, clock=SystemClock())
    route = ReleaseRoute("/", "web", (Upstream("web", "127.0.0.1", scene.back),))
    store.add_stack(STACK, str(scene.folder))
    release = builders.release(1, routes=(route,), hosts=("www.shop-app.test",))
    store.add_release(replace(release, stack=STACK))
    lease = store.acquire_lease(str(STACK), holder="bench", seconds=60)
    store.mark_live(STACK, 1, old=None, warm_until=None, fence=lease.fence)
    store.release_lease(lease)
    store.close()


@asynccontextmanager
async def _scene(report: Report) -> AsyncIterator[Scene]:
    """A gateway of its own, a release in its table, and a backend that answers."""
    server = Server(backends=20)
    name, (back,) = f"sc{server.run}-back", free_ports(1)
    scene = Scene(server, back, report)
    try:
        server.write_settings()
        await start_backend(name, server.root, back, server.run)
        done = await server.berth("gateway", "up")
        if done.code:
            raise RuntimeError(done.said)
        _write_app(scene)
        await until(lambda: is_open(back))
        yield scene
    finally:
        await docker("rm", "--force", "--volumes", name, code=None)
        await server.destroy()
