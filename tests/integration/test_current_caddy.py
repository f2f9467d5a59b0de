"""The edge with a current Caddy, which asks by `permission`: the same promises as with 2.6.

Debian's is 2.6, so the binary comes with the tests' own packages (`caddyserver`).
"""

import shutil
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.gateway import HOST, STACK, gateway, upstream
from tests.integration.test_acme import Site, stored
from tests.integration.test_certificates import answers, no_log, restart_edge
from tests.pebble import prepare, serving
from tests.scenario.server import until

from berthmaster.adapters.caddy.certificates import EdgeCertificates
from berthmaster.adapters.caddy.config import EdgeOptions
from berthmaster.domain.routing import HostClaim, Tls

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]
ROUTER = "berthmaster/haproxy:2.6"
DOCKERFILE = "FROM berthmaster/caddy:2.6\nCOPY caddy /usr/bin/caddy\n"


@pytest.fixture
def image(tmp_path: Path) -> Iterator[str]:
    """Our own image with another Caddy in it."""
    tag, folder = f"berthtest-caddy:{uuid.uuid4().hex[:8]}", tmp_path / "image"
    folder.mkdir()
    shutil.copy(Path(sys.executable).with_name("caddy"), folder)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    build = ["docker", "build", "--quiet", "--label", "berthmaster.test=gateway", "--tag", tag]
    subprocess.run([*build, str(folder)], check=True, capture_output=True)
    yield tag
    subprocess.run(["docker", "image", "rm", tag], check=True, capture_output=True)


@pytest.fixture
async def site(image: str, tmp_path: Path) -> AsyncIterator[Site]:
    authority = await prepare(tmp_path)
    edge = EdgeOptions(
        acme_directory=authority.directory,
        acme_ca_root=authority.ca_root,
        acme_email="ops@example.com",
        asks_by_module=True,
    )
    async with (
        gateway(tls=Tls.ACME, edge=edge, images=(ROUTER, image)) as made,
        upstream("app") as app,
    ):
        await made.claim(HOST)
        await made.router.switch(STACK, await made.publish(1, app.address), fence=1)
        places = {"http_port": made.port("http"), "tls_port": made.port("https")}
        async with serving(authority, **places):
            yield Site(made, authority, app)


@pytest.mark.requirement("R42", "R110")
async def test_a_current_caddy_asks_before_it_orders(site: Site) -> None:
    version = (await site.gateway.router.status()).edge_version
    assert version is not None
    assert tuple(map(int, version.split(".")[:2])) >= (2, 8)
    trust = await site.authority.trust()
    assert await answers(site, f"unknown.{HOST}", trust) is None
    assert site.authority.order_count == 0
    assert await answers(site, HOST, trust) == 200
    assert (stored(site), site.authority.order_count) == ({HOST}, 1)

    entries = [HostClaim(item.name, HOST, STACK) for item in site.gateway.entrypoints]
    await site.gateway.router.release_hosts(entries, fence=1)
    EdgeCertificates(site.gateway.folder, no_log).forget((HOST,))
    await restart_edge(site)
    await until(lambda: is_up(site), seconds=60)
    assert await answers(site, HOST, trust) is None  # departed: refused by TLS itself
    assert site.authority.order_count == 1


async def is_up(site: Site) -> bool:
    return (await site.gateway.router.status()).is_edge_up
