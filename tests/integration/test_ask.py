"""The responder as the process that it is: one file, any Python, two sockets."""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from tests.apart import free_ports

from berthmaster.adapters.ask.package import render_package
from berthmaster.adapters.ask.table import AppQuestion, write_apps
from berthmaster.adapters.caddy.certificates import EdgeCertificates
from berthmaster.adapters.haproxy.layout import Layout
from berthmaster.adapters.haproxy.status import ask_answers


@dataclass
class Running:
    """One process and the folder that it looks at."""

    layout: Layout
    port: int
    process: asyncio.subprocess.Process

    def hosts(self, *hosts: str) -> None:
        path = self.layout.map("hosts")
        new = path.with_suffix(".new")
        new.write_text("".join(f"https|{host} shop-prod\n" for host in hosts))
        new.replace(path)

    async def ask(self, name: str) -> int:
        url = f"http://127.0.0.1:{self.port}/ask"
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, params={"domain": name}) as answer,
        ):
            return answer.status


@asynccontextmanager
async def running(folder: Path, *limits: int) -> AsyncIterator[Running]:
    layout = Layout(folder)
    for path in (layout.ask, layout.run, layout.map("hosts").parent):
        path.mkdir(parents=True, exist_ok=True)
    package = layout.ask / "responder.pyz"
    package.write_bytes(render_package())
    (port,) = free_ports(1)
    words = (str(folder), str(port), "https", *map(str, limits))
    with (layout.ask / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(package), *words, stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(60):
            while not await ask_answers(layout):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)
        yield Running(layout, port, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def memory_kilobytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def log_of(made: Running) -> list[dict[str, str]]:
    return [json.loads(line) for line in (made.layout.ask / "log").read_text().splitlines()]


async def silent_log() -> str:
    return ""


@pytest.fixture
def folder() -> Iterator[Path]:
    """With a short name: the path of a unix socket ends at 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="ba-") as name:
        yield Path(name) / "gateway"


@pytest.mark.requirement("R110")
async def test_it_answers_by_the_routers_own_map(folder: Path) -> None:
    async with running(folder) as made:
        assert await made.ask("shop.test") == 403  # there is no map yet
        made.hosts("shop.test", "*.watch.test")
        assert await made.ask("SHOP.test.") == 200
        assert await made.ask("acme.watch.test") == 200
        assert await made.ask("a.b.watch.test") == 403
        for bad in ("", "../etc/passwd", "x" * 300):
            assert await made.ask(bad) == 400
        made.hosts("*.watch.test")
        assert await made.ask("shop.test") == 403


async def test_killed_and_started_again_it_has_counted_everything(folder: Path) -> None:
    async with running(folder, 3, 300) as made:
        made.hosts(*(f"{name}.watch.test" for name in "abcd"))
        assert [await made.ask(f"{name}.watch.test") for name in "abc"] == [200, 200, 403]
    async with running(folder, 3, 300) as made:
        assert await made.ask("d.watch.test") == 403
        said = await EdgeCertificates(folder, silent_log).asking()
        assert said is not None
        assert said.decisions == {"budget": 1}
        assert said.orders == {"pending": 2, "issued": 0, "failed": 0}
    reasons = [item["reason"] for item in log_of(made) if item.get("decision") == "refused"]
    assert reasons == ["budget: watch.test is close to 3 new certificates in 7 days"] * 2


async def test_a_new_order_near_the_limit_is_an_alert_in_the_log(folder: Path) -> None:
    async with running(folder, 5, 300) as made:
        made.hosts(*(f"{name}.watch.test" for name in "abcd"))
        for name in "abcd":
            await made.ask(f"{name}.watch.test")
    alerts = [item["alert"] for item in log_of(made) if "alert" in item]
    assert alerts == ["watch.test: 4 of 5 certificates of 7 days are used"]


async def test_an_app_is_asked_through_the_router_by_its_public_name(folder: Path) -> None:
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        status = b"200 OK" if b"domain=acme" in heads[-1].encode() else b"404 Not Found"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with running(folder) as made:
        server = await asyncio.start_unix_server(serve, str(made.layout.edge_socket("https")))
        question = AppQuestion("/api/internal/validate-domain/", "watch.test", "https")
        made.layout.ask_apps.write_text(write_apps({"shop-prod": question}))
        made.hosts("*.watch.test")
        assert await made.ask("acme.watch.test") == 200
        assert await made.ask("evil.watch.test") == 403
        assert await made.ask("evil.watch.test") == 403
        server.close()
    assert len(heads) == 2
    assert heads[0].startswith("GET /api/internal/validate-domain/?domain=acme.watch.test HTTP/1.1")
    assert "Host: watch.test\r\n" in heads[0]
    assert "X-Forwarded-Proto: https\r\n" in heads[0]


async def test_it_is_small_and_there_at_once(folder: Path) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    async with running(folder) as made:
        assert loop.time() - before < 10
        assert memory_kilobytes(made.process.pid) < 40_000


async def test_a_client_that_speaks_no_http_is_told_so(folder: Path) -> None:
    async with running(folder) as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        writer.write(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        writer.write(b"x" * 20_000)
        await reader.read()
        writer.close()
        assert await made.ask("shop.test") == 403
