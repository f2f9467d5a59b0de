"""The Caddyfile of the documents without Berthmaster: `on_demand`, and `ask` to the app itself.

Caddy runs as plain Docker Compose runs it, in a network of its own behind published ports; the app
is a stand-in that answers what StatusWatch answers, the authority is pebble.
"""

import secrets
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from tests.apart import free_ports
from tests.pebble import Authority, prepare, serving
from tests.scenario.commands import docker
from tests.scenario.server import is_open, until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]
CADDYFILE = Path(__file__).parents[2] / "examples/statuswatch/caddy/Caddyfile"
SUFFIX = "watch.test"
APP = """\
import http.server

class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asks = self.path.startswith("/api/internal/validate-domain/")
        status = 404 if asks and not self.path.endswith("=acme.watch.test") else 200
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"the app")

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("", 8000), App).serve_forever()
"""


@dataclass
class Plain:
    """Caddy behind two published ports, and the authority that it orders from."""

    authority: Authority
    https: int

    async def ask(self, host: str, path: str, trust: ssl.SSLContext) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(
                f"https://127.0.0.1:{self.https}{path}",
                headers={"Host": host},
                server_hostname=host,
                ssl=trust,
            ) as answer,
        ):
            return answer.status, await answer.text()


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncIterator[Plain]:
    name, label = f"plain-{secrets.token_hex(3)}", "berthmaster.test=plain"
    http, https = free_ports(2)
    await docker("network", "create", "--label", label, name)
    try:
        form = "{{(index .IPAM.Config 0).Gateway}}"
        host = await docker("network", "inspect", "--format", form, name)
        authority = await prepare(tmp_path, host)
        run = ("run", "--detach", "--label", label, "--network", name)
        python = ("berthmaster/python:3.11", "python3", "-c", APP)
        await docker(*run, "--name", f"{name}-app", "--network-alias", "web", *python)
        await docker(
            *(*run, "--name", f"{name}-caddy"),
            *("--publish", f"127.0.0.1:{http}:80", "--publish", f"127.0.0.1:{https}:443"),
            *("--volume", f"{CADDYFILE}:/etc/caddy/Caddyfile:ro"),
            *("--volume", f"{authority.ca_root}:/ca.pem:ro", "--env", "SSL_CERT_FILE=/ca.pem"),
            *("--env", f"CADDY_ACME_CA={authority.directory}", "--env", "CADDY_TLS="),
            *("--env", f"DEFAULT_TENANT_DOMAIN_SUFFIX={SUFFIX}"),
            *("berthmaster/caddy:2.6", "caddy", "run", "--config", "/etc/caddy/Caddyfile"),
            *("--adapter", "caddyfile"),
        )
        await until(lambda: _listens(f"{name}-app", 8000))
        await until(lambda: _listens(f"{name}-caddy", 443))
        async with serving(authority, http_port=http, tls_port=https):
            yield Plain(authority, https)
    finally:
        for one in (f"{name}-app", f"{name}-caddy"):  # side by side they can hang the engine
            await docker("rm", "--force", "--volumes", one, code=None)
        await docker("network", "rm", name, code=None)


async def _listens(container: str, port: int) -> bool:
    """Whether the program in it does: Docker opens the published port at once."""
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return is_open(port, await docker("inspect", "--format", form, container))


@pytest.mark.requirement("R107", "R110")
async def test_the_documents_caddyfile_orders_for_tenants_and_for_nobody_else(plain: Plain) -> None:
    trust = await plain.authority.trust()
    assert await plain.ask(f"acme.{SUFFIX}", "/", trust) == (200, "the app")
    orders = plain.authority.order_count
    assert orders > 0
    assert (await plain.ask(f"acme.{SUFFIX}", "/api/internal/x", trust))[0] == 404
    with pytest.raises(aiohttp.ClientConnectorError):
        await plain.ask(f"nobody.{SUFFIX}", "/", trust)
    assert plain.authority.order_count == orders
