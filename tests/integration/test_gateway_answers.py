"""What the gateway does to answers on their way: streams, compression, HTTP/3, its own version."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from tests.gateway import HOST, STACK, Gateway, Upstream, gateway, upstream

from berthmaster.adapters.http import AiohttpProber
from berthmaster.domain.probing import Fetch
from berthmaster.domain.routing import Prefix
from berthmaster.domain.tenancy import WELL_KNOWN

pytestmark = pytest.mark.docker
PAGE = "<p>the same line again</p>\n" * 100
ACCEPTS = {"Accept-Encoding": "gzip"}


@pytest.fixture
async def made() -> AsyncIterator[Gateway]:
    async with gateway() as running:
        await running.claim(HOST)
        yield running


@asynccontextmanager
async def asking(
    made: Gateway, entrypoint: str, path: str, headers: dict[str, str]
) -> AsyncIterator[aiohttp.ClientResponse]:
    """An answer whose body is read as it comes, and not unpacked."""
    is_tls = entrypoint == "https"
    trust = ssl.create_default_context(cafile=str(made.ca_file)) if is_tls else False
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        url = f"{'https' if is_tls else 'http'}://127.0.0.1:{made.port(entrypoint)}{path}"
        async with session.get(
            url,
            headers={"Host": HOST, **headers},
            ssl=trust,
            server_hostname=HOST if is_tls else None,
        ) as answer:
            yield answer


async def go_live(made: Gateway, number: int, one: Upstream) -> None:
    release = await made.publish(number, one.address)
    await made.router.switch(STACK, release, fence=1)


@pytest.mark.parametrize("entrypoint", ["plain", "https"])
async def test_events_arrive_one_by_one_and_outlive_a_switch(
    made: Gateway, entrypoint: str
) -> None:
    """The first event is sent when the stream is open, each other one when the last has arrived:
    none can wait in a buffer.
    """
    async with upstream("old") as old, upstream("new") as new:
        await go_live(made, 1, old)
        wanted = {**ACCEPTS, "Accept": "text/event-stream"}
        async with asking(made, entrypoint, "/events", wanted) as stream:
            assert "Content-Encoding" not in stream.headers
            for number in range(5):
                if number == 2:
                    await go_live(made, 2, new)
                await old.events.put(f"event {number}")
                async with asyncio.timeout(60):
                    assert await stream.content.readline() == b"data: event %d\n" % number
                    assert await stream.content.readline() == b"\n"
            async with asking(made, entrypoint, "/", {}) as other:
                assert other.headers["X-Version"] == "new"
            await old.events.put("")
            assert await stream.content.read() == b""


@pytest.fixture
async def site(made: Gateway) -> Gateway:
    """A release that is one site: a page, a ready-made archive and an image."""
    folder = made.folder.parent / "sites" / STACK / "r1/web"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "ready.js").write_text("plain")
    (folder / "ready.js.gz").write_bytes(gzip.compress(b"made by the build"))
    (folder / "logo.png").write_bytes(b"\x89PNG" * 1000)
    await made.router.attach(STACK, [], [Prefix(f"{STACK}/r1", "/", site="web")], fence=1)
    await made.router.switch(STACK, f"{STACK}/r1", fence=1)
    return made


@pytest.mark.parametrize("entrypoint", ["plain", "https"])
async def test_texts_of_a_site_are_compressed_once(site: Gateway, entrypoint: str) -> None:
    for path, text in {"/": PAGE, "/ready.js": "made by the build"}.items():
        async with asking(site, entrypoint, path, ACCEPTS) as answer:
            assert answer.headers.getall("Content-Encoding") == ["gzip"]
            assert gzip.decompress(await answer.read()).decode() == text


@pytest.mark.parametrize(
    ("path", "headers"), [("/logo.png", ACCEPTS), ("/", {"Accept-Encoding": "identity"})]
)
async def test_what_is_small_already_or_not_wanted_is_sent_as_it_is(
    site: Gateway, path: str, headers: dict[str, str]
) -> None:
    async with asking(site, "https", path, headers) as answer:
        assert answer.status == 200
        assert "Content-Encoding" not in answer.headers


async def test_http3_is_offered_and_listened_for(made: Gateway) -> None:
    """No client here speaks it: the offer and the UDP socket are what is tested."""
    async with upstream("app") as app:
        await go_live(made, 1, app)
        async with asking(made, "https", "/", {}) as answer:
            assert f'h3=":{made.port("https")}"' in answer.headers["Alt-Svc"]
    assert made.port("https") in udp_ports()


def udp_ports() -> set[int]:
    files = [Path("/proc/net/udp"), Path("/proc/net/udp6")]
    lines = [line for file in files if file.exists() for line in file.read_text().splitlines()[1:]]
    return {int(line.split()[1].rpartition(":")[2], 16) for line in lines}


async def test_router_and_edge_tell_their_versions(made: Gateway) -> None:
    status = await made.router.status()
    assert status.router_version
    assert status.router_version.startswith("2.6.")
    assert status.edge_version
    assert status.edge_version.startswith("2.6.")


async def test_a_name_that_nobody_has_shows_that_it_leads_here(made: Gateway) -> None:
    async with upstream("one") as one:
        await go_live(made, 1, one)
        mark = made.router.mark()
        assert len(mark) == 32
        for entrypoint in ("http", "plain"):
            for host, wanted in (("shop.acme.de", mark), (HOST, None)):
                asked = Fetch("127.0.0.1", made.port(entrypoint), WELL_KNOWN, host)
                found = await AiohttpProber().fetch(asked)
                assert (found.status == 200 and found.body.strip() == mark) is bool(wanted)
        other = Fetch("127.0.0.1", made.port("plain"), "/", "shop.acme.de")
        assert (await AiohttpProber().fetch(other)).status == 421
