"""Requests per second of router and edge beside Caddy alone, same backend, same host, same load.

Two settings in one run. `shared`: proxy, load generator and backend take what they get of all
cores, so the figure is diluted by what load and backend cost. `own core`: the proxy has one core to
itself and load and backend have another, so the proxy is what limits; the budgets are judged here.
Rounds alternate between the candidates; medians are compared.
"""

import json
import os
import re
import shutil
import statistics
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.apart import free_ports
from tests.scenario.commands import docker, docker_lines, end, start
from tests.scenario.server import is_open, until

from bench.backend import start_backend
from bench.report import Budget, Report
from berthmaster.adapters.caddy.config import EdgeOptions
from berthmaster.adapters.gateway import DockerGateway, GatewayOptions
from berthmaster.adapters.haproxy import HaproxyRouter, PoolSize
from berthmaster.adapters.haproxy.config import RouterOptions
from berthmaster.domain.routing import Backend, Entrypoint, HostClaim, Prefix, RouteTable, Tls

STACKS = 1000  # each with a host, a release, a prefix and a backend
HOST = "s500-prod.test"
PATH = "/hello/world?x=1"
CLIENTS = 64
TICKS = os.sysconf("SC_CLK_TCK")
PROXY_CORE, LOAD_CORE = "0", "1"


@dataclass(slots=True)
class Candidate:
    """Something to ask, and what it answered in each round."""

    name: str
    port: int
    containers: tuple[str, ...]
    is_tls: bool = False
    per_second: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)  # of the containers, for each request

    @property
    def rate(self) -> float:
        """Median of the rounds."""
        return statistics.median(self.per_second)


async def measure(*, seconds: int = 4, rounds: int = 5) -> Report:
    """Run both settings; about `4 * (seconds + 1) * rounds * 2` seconds."""
    report = Report(
        "router",
        f"Requests per second through {STACKS} stacks ({CLIENTS} clients, 200-byte answers)",
        ("candidate", "setting", "per_second", "cpu_us_per_request", "of_caddy"),
    )
    async with _candidates() as candidates:
        for setting, cores in (("shared", None), ("own core", LOAD_CORE)):
            if cores:
                await _give_own_core(candidates)
            for _ in range(rounds):
                for candidate in candidates:
                    await _ask(candidate, seconds, cores)
            _add_rows(report, candidates, setting)
            if cores:
                report.budgets = _budgets(candidates)
            for candidate in candidates:
                candidate.per_second.clear()
                candidate.cpu_us.clear()
    report.notes.append(
        "own core: the proxy alone on one core, load generator and backend on the other;"
        " Caddy may keep 2,000 idle connections to its backend; as installed it keeps 32"
    )
    return report


def _budgets(candidates: Sequence[Candidate]) -> list[Budget]:
    rate = {candidate.name: candidate.rate for candidate in candidates}
    return [
        *(
            Budget(f"router / {caddy}, HTTP/1.1", rate["router"] / rate[caddy], 3, is_floor=True)
            for caddy in ("Caddy", "Caddy as installed")
        ),
        Budget(
            "edge + router / Caddy, TLS and HTTP/2",
            rate["edge + router, TLS h2"] / rate["Caddy, TLS h2"],
            0.55,
            is_floor=True,
        ),
    ]


def _add_rows(report: Report, candidates: Sequence[Candidate], setting: str) -> None:
    rate = {candidate.name: candidate.rate for candidate in candidates}
    for one in candidates:
        base = rate["Caddy, TLS h2" if one.is_tls else "Caddy"]
        cpu = statistics.median(one.cpu_us)
        report.rows.append((one.name, setting, round(one.rate), round(cpu, 1), one.rate / base))


@asynccontextmanager
async def _candidates() -> AsyncIterator[list[Candidate]]:
    """Backend, Caddy alone and the gateway, all in host networking."""
    back, caddy, few, caddy_tls, plain, https, ask = free_ports(7)
    root = Path(tempfile.mkdtemp(prefix="bb-"))
    prefix = f"bb{os.getpid()}-"
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        await start_backend(f"{prefix}back", root, back)
        _removed(stack, f"{prefix}back")
        command = _caddy(root, back, (caddy, few, caddy_tls))
        await _run(stack, f"{prefix}caddy", root, "berthmaster/caddy:2.6", command)
        await _start_gateway(stack, root, prefix, (plain, https, ask), back)
        for port in (back, caddy, few, caddy_tls, plain, https):
            await until(lambda port=port: is_open(port))
        alone, router, edge = (f"{prefix}caddy",), f"{prefix}router", f"{prefix}edge"
        yield [
            Candidate("backend alone", back, (f"{prefix}back",)),
            Candidate("Caddy", caddy, alone),
            Candidate("Caddy as installed", few, alone),
            Candidate("router", plain, (router,)),
            Candidate("Caddy, TLS h2", caddy_tls, alone, is_tls=True),
            Candidate("edge + router, TLS h2", https, (edge, router), is_tls=True),
        ]


async def _start_gateway(
    stack: AsyncExitStack, root: Path, prefix: str, ports: tuple[int, int, int], back: int
) -> None:
    plain, https, ask = ports
    entrypoints = (Entrypoint("plain", plain), Entrypoint("https", https, tls=Tls.LOCAL))
    options = GatewayOptions(
        name_prefix=prefix,
        labels={"berthmaster.test": "bench"},
        pool=PoolSize(STACKS),
        router=RouterOptions(),
        edge=EdgeOptions(ask_port=ask),
    )
    folder = root / "gateway"
    gateway = DockerGateway(folder, options)
    stack.push_async_callback(gateway.down)
    await gateway.up(entrypoints)
    await HaproxyRouter(folder, entrypoints, options.pool).replace_table(_table(back))


def _table(back: int) -> RouteTable:
    names = [f"s{number}-prod" for number in range(1, STACKS + 1)]
    return RouteTable(
        hosts=tuple(
            HostClaim(entry, f"{name}.test", name) for name in names for entry in ("plain", "https")
        ),
        live={name: f"{name}/r1" for name in names},
        prefixes=tuple(Prefix(f"{name}/r1", "/", slot) for slot, name in enumerate(names, 1)),
        backends=tuple(Backend(slot, (f"127.0.0.1:{back}",)) for slot, _ in enumerate(names, 1)),
    )


async def _run(
    stack: AsyncExitStack, name: str, root: Path, image: str, command: Sequence[str]
) -> None:
    await docker(
        *("run", "--detach", "--name", name, "--label", "berthmaster.test=bench"),
        *("--network", "host", "--volume", f"{root}:{root}:ro", "--env", "HOME=/tmp"),
        *("--env", "XDG_DATA_HOME=/tmp/data", image, *command),
    )
    _removed(stack, name)


def _removed(stack: AsyncExitStack, name: str) -> None:
    stack.push_async_callback(docker, "rm", "--force", "--volumes", name, code=None)


def _caddy(root: Path, back: int, ports: tuple[int, int, int]) -> tuple[str, ...]:
    """What a person would write: one site, one upstream; with enough idle connections, and not."""
    plain, few, https = ports
    proxy = {"handler": "reverse_proxy", "upstreams": [{"dial": f"127.0.0.1:{back}"}]}
    keep = {"max_idle_conns": 2000, "max_idle_conns_per_host": 2000}
    tuned = {**proxy, "transport": {"protocol": "http", "keep_alive": keep}}
    routes = [{"match": [{"host": [HOST]}], "handle": [tuned]}]
    default = [{"match": [{"host": [HOST]}], "handle": [proxy]}]
    off = {"disable": True}
    servers = {
        "plain": {"listen": [f":{plain}"], "automatic_https": off, "routes": routes},
        "few": {"listen": [f":{few}"], "automatic_https": off, "routes": default},
        "tls": {
            "listen": [f":{https}"],
            "automatic_https": {"disable_redirects": True},
            "tls_connection_policies": [{}],
            "routes": routes,
        },
    }
    config = {
        "admin": {"disabled": True},
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "apps": {
            "http": {"http_port": plain, "https_port": https, "servers": servers},
            "tls": {
                "automation": {
                    "policies": [{"subjects": [HOST], "issuers": [{"module": "internal"}]}]
                }
            },
            "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
        },
    }
    path = root / "caddy.json"
    path.write_text(json.dumps(config))
    return ("caddy", "run", "--config", str(path))


async def _give_own_core(candidates: Sequence[Candidate]) -> None:
    """Pin, and restart: the processes size themselves by the cores they may use."""
    (back,) = candidates[0].containers
    proxies = sorted({name for one in candidates[1:] for name in one.containers})
    for name in (back, *proxies):
        core = LOAD_CORE if name == back else PROXY_CORE
        await docker("update", "--cpuset-cpus", core, name)
        await docker("restart", "--time", "5", name)
    for candidate in candidates:
        await until(lambda port=candidate.port: is_open(port))


async def _ask(candidate: Candidate, seconds: int, cores: str | None) -> None:
    words = _h2load(candidate, seconds) if candidate.is_tls else _wrk(candidate, seconds)
    if not candidate.per_second:  # the first handshake makes a certificate
        await end(await start(*(_h2load(candidate, 1) if candidate.is_tls else words)))
    pids = [pid for name in candidate.containers for pid in await _pids(name)]
    before = sum(_cpu(pid) for pid in pids)
    ended = await end(await start(*(("taskset", "-c", cores) if cores else ()), *words))
    spent = sum(_cpu(pid) for pid in pids) - before
    count, rate = _parse(ended.out, is_tls=candidate.is_tls)
    candidate.per_second.append(rate)
    candidate.cpu_us.append(spent / count * 1e6)


def _wrk(candidate: Candidate, seconds: int) -> tuple[str, ...]:
    url = f"http://127.0.0.1:{candidate.port}{PATH}"
    return ("wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "-H", f"Host: {HOST}", url)


def _h2load(candidate: Candidate, seconds: int) -> tuple[str, ...]:
    port = candidate.port
    return (
        *("h2load", "-t1", "-c8", f"-m{CLIENTS // 8}", f"-D{seconds}"),
        *(f"--connect-to=127.0.0.1:{port}", f"https://{HOST}:{port}{PATH}"),
    )


def _parse(text: str, *, is_tls: bool) -> tuple[int, float]:
    """Requests and requests per second; raises when one was not answered with 200."""
    if is_tls:
        found = re.search(r"requests: .* (\d+) succeeded, 0 failed, 0 errored, 0 timeout", text)
        rate = re.search(r"([\d.]+) req/s", text)
        bad = "0 3xx, 0 4xx, 0 5xx" not in text
    else:
        found = re.search(r"(\d+) requests in", text)
        rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
        bad = "Non-2xx" in text or "Socket errors" in text
    if bad or not found or not rate or int(found[1]) == 0:
        raise RuntimeError(f"not every request was answered:\n{text}")
    return int(found[1]), float(rate[1])


async def _pids(container: str) -> list[int]:
    return [int(pid) for pid in (await docker_lines("top", container, "-eo", "pid"))[1:]]


def _cpu(pid: int) -> float:
    """Seconds of CPU so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS
