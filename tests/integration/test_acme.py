"""Certificates on demand from a real ACME authority, through the edge's own ports."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from tests.gateway import HOST, STACK, Gateway, Upstream, gateway, upstream
from tests.pebble import Authority, prepare, serving

from berthmaster.adapters.caddy.config import EdgeOptions
from berthmaster.domain.routing import Tls

pytestmark = pytest.mark.docker


@dataclass
class Site:
    """A gateway whose certificates come from an authority."""

    gateway: Gateway
    authority: Authority
    upstream: Upstream

    async def ask(self, host: str, trust: ssl.SSLContext) -> tuple[int, str]:
        port = self.gateway.port("https")
        async with (
            aiohttp.ClientSession() as session,
            session.get(
                f"https://127.0.0.1:{port}/",
                headers={"Host": host},
                server_hostname=host,
                ssl=trust,
            ) as answer,
        ):
            return answer.status, await answer.text()


@pytest.fixture(params=["with port 80", "without port 80"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """The authority can look at one port only: HTTP-01 where an entrypoint redirects, else
    TLS-ALPN-01.
    """
    authority = await prepare(tmp_path)
    edge = EdgeOptions(
        acme_directory=authority.directory,
        acme_ca_root=authority.ca_root,
        acme_email="ops@example.com",
    )
    redirects = request.param == "with port 80"
    async with (
        gateway(tls=Tls.ACME, edge=edge, redirects=redirects) as made,
        upstream("app") as app,
    ):
        await made.claim(HOST, f"*.{HOST}")
        await made.router.switch(STACK, await made.publish(1, app.address), fence=1)
        ports = (made.port("http"), 1) if redirects else (1, made.port("https"))
        async with serving(authority, http_port=ports[0], tls_port=ports[1]):
            yield Site(made, authority, app)


@pytest.mark.timeout(120)
async def test_a_known_host_gets_its_certificate_at_the_first_handshake(site: Site) -> None:
    trust = await site.authority.trust()
    assert not stored(site)
    assert await site.ask(HOST, trust) == (200, "app /")
    orders = site.authority.order_count
    assert orders > 0
    assert await site.ask(HOST, trust) == (200, "app /")
    assert site.authority.order_count == orders  # kept, not ordered again
    assert await site.ask(f"tenant.{HOST}", trust) == (200, "app /")
    assert stored(site) == {HOST, f"tenant.{HOST}"}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("host", ["unknown.test", f"a.b.{HOST}"])
async def test_an_unknown_host_is_refused_and_nothing_is_ordered(site: Site, host: str) -> None:
    trust = await site.authority.trust()
    with pytest.raises(aiohttp.ClientConnectorError):
        await site.ask(host, trust)
    assert site.authority.order_count == 0
    assert not stored(site)


def stored(site: Site) -> set[str]:
    return {path.stem for path in (site.gateway.folder / "caddy/data/certificates").rglob("*.crt")}
