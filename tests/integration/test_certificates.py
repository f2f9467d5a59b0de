"""Budget, departed tenants, a killed responder: with real HAProxy, Caddy and ACME authority."""

import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiodocker
import aiohttp
import pytest
from tests.gateway import HOST, STACK, gateway, upstream
from tests.integration.test_acme import Site, stored
from tests.pebble import prepare, serving

from berthmaster.adapters.ask.budget import Limits
from berthmaster.adapters.caddy.certificates import EdgeCertificates
from berthmaster.adapters.caddy.config import EdgeOptions
from berthmaster.domain.routing import HostClaim, Tls

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]
TENANTS = tuple(f"t{number}.{HOST}" for number in range(10))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A registered domain may have 15 certificates: 13 with the margin."""
    authority = await prepare(tmp_path)
    edge = EdgeOptions(acme_directory=authority.directory, acme_ca_root=authority.ca_root)
    limits = Limits(domain_week=15)
    async with gateway(tls=Tls.ACME, edge=edge, limits=limits) as made, upstream("app") as app:
        await made.claim(HOST, *TENANTS)
        await made.router.switch(STACK, await made.publish(1, app.address), fence=1)
        places = {"http_port": made.port("http"), "tls_port": made.port("https")}
        async with serving(authority, **places):
            yield Site(made, authority, app)


async def answers(site: Site, host: str, trust: ssl.SSLContext) -> int | None:
    """The status, or None when no certificate was shown."""
    try:
        return (await site.ask(host, trust))[0]
    except aiohttp.ClientConnectorError:
        return None


async def no_log() -> str:
    return ""


@pytest.mark.requirement("R107", "R110")
async def test_departed_tenants_and_a_used_up_budget_are_refused(site: Site) -> None:
    trust = await site.authority.trust()
    certificates = EdgeCertificates(site.gateway.folder, no_log)
    for host in TENANTS:
        assert await answers(site, host, trust) == 200
    entries = [
        HostClaim(item.name, host, STACK) for item in site.gateway.entrypoints for host in TENANTS
    ]
    await site.gateway.router.release_hosts(entries, fence=1)
    assert len(certificates.forget(TENANTS)) == 10
    for host in TENANTS:
        assert await answers(site, host, trust) in (421, None)  # what the edge has in memory
    assert not stored(site)

    more = [f"n{number}.{HOST}" for number in range(5)]
    await site.gateway.claim(*more)
    assert [await answers(site, host, trust) for host in more] == [200, 200, 200, None, None]
    assert site.authority.order_count == 13
    asking = await certificates.asking()
    assert asking is not None
    assert asking.alerts == (f"{HOST}: 13 of 15 certificates of 7 days are used",)

    await restart_edge(site)
    async with asyncio.timeout(60):
        while await answers(site, more[0], trust) != 200:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.1)
    assert [await answers(site, host, trust) for host in TENANTS] == [None] * 10  # by TLS itself
    assert site.authority.order_count == 13


@pytest.mark.requirement("R110")
async def test_a_killed_responder_comes_back_while_known_names_serve(site: Site) -> None:
    trust = await site.authority.trust()
    assert await answers(site, HOST, trust) == 200
    first = await responder_pid(site)
    async with socket_through(site, trust) as (reader, writer):
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(60):
            while await responder_pid(site) in (0, first):
                assert await answers(site, HOST, trust) == 200
        assert await protocol_of(site, trust) == "HTTP/2 200"
        writer.write(b"still here")
        assert await asyncio.wait_for(reader.readexactly(10), 10) == b"still here"
    async with asyncio.timeout(60):
        while await answers(site, TENANTS[0], trust) != 200:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.1)


@asynccontextmanager
async def socket_through(
    site: Site, trust: ssl.SSLContext
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A WebSocket's upgrade through edge and router; the upstream echoes what comes then."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", site.gateway.port("https"), ssl=trust, server_hostname=HOST
    )
    lines = ["GET /socket HTTP/1.1", f"Host: {HOST}", "Connection: upgrade", "Upgrade: echo"]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 101 ")
        yield reader, writer
    finally:
        writer.close()


async def protocol_of(site: Site, trust: ssl.SSLContext) -> str:
    """What a client that knows HTTP/2 and trusts the authority speaks, and what it is answered."""
    root = site.authority.folder / "issuer.pem"
    root.write_text("".join(map(ssl.DER_cert_to_PEM_cert, trust.get_ca_certs(binary_form=True))))
    port = site.gateway.port("https")
    process = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--http2", "--cacert", str(root), "--output", os.devnull),
        *(
            "--resolve",
            f"{HOST}:{port}:127.0.0.1",
            "--write-out",
            "HTTP/%{http_version} %{http_code}",
        ),
        f"https://{HOST}:{port}/",
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 20)
    return said.decode()


async def restart_edge(site: Site) -> None:
    async with aiodocker.Docker() as docker:
        await (await docker.containers.get(f"{site.gateway.prefix}edge")).restart(t=1)


async def responder_pid(site: Site) -> int:
    async with aiodocker.Docker() as docker:
        found = await docker.containers.get(f"{site.gateway.prefix}ask")
        return int((await found.show())["State"]["Pid"])
