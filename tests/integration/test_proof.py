"""`berth domain prove` from the owner's DNS to the first answer, with DNS and port 80 as they are.

One server for all: an engine of its own, the gateway on ports 80 and 443, a pooled app behind it.
"""

import asyncio
import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.customer import CUSTOMER, NEIGHBOUR, SERVER, Place, place
from tests.scenario.commands import Ended
from tests.scenario.engine import Engine

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]
IMAGES = ("berthmaster/python:3.11", "berthmaster/haproxy:2.6", "berthmaster/caddy:2.6")
REFUSED = (421, None)
WELL_KNOWN = ".well-known/berthmaster"
COMPOSE_YAML = """\
services:
  web:
    image: berthmaster/python:${IMAGE_TAG}
    command: [python, -m, http.server, "8000"]
"""
BERTH_YAML = """\
app: shop
routes: [{path: /, service: web, port: 8000}]
retention: {watch: 0s}
tenancy: {mode: pool, domain: shop.example}
domains: {custom: true}
environments:
  prod: {hosts: [www.shop-app.example], entrypoint: https}
"""


@pytest.fixture(scope="module")
def there() -> Iterator[Place]:
    engine = Engine()
    try:
        engine.start(IMAGES)
        with place(engine) as made:
            made.server.take_ports(80, 443)
            asyncio.run(_set_up(made))
            yield made
    finally:
        engine.destroy()


async def _set_up(made: Place) -> None:
    folder = _folder(made)
    folder.mkdir()
    (folder / "compose.yaml").write_text(COMPOSE_YAML)
    (folder / "berth.yaml").write_text(BERTH_YAML)
    for words in (("gateway", "up"), ("-C", str(folder), "deploy", "prod", "--tag", "3.11")):
        done = await made.server.berth(*words)
        assert done.code == 0, done.said


def test_a_txt_record_proves_a_name_wherever_it_leads(there: Place) -> None:
    host = "txt.acme.example"
    there.records[host, "A"] = [CUSTOMER]
    token = add(there, host)
    assert ask(host) in REFUSED
    there.records[f"_berthmaster.{host}", "TXT"] = ['"somebody else\'s"']
    refused = prove(there, host, code=2)
    assert f"_berthmaster.{host} has no TXT record with its token" in refused.err
    assert ask(host) in REFUSED
    there.records[f"_berthmaster.{host}", "TXT"] = ['"v=spf1 -all"', f'"{token}"']
    done = prove(there, host)
    assert "is routed" in done.out
    assert f"DNS says {CUSTOMER}, not this machine" in done.said
    assert ask(host) == 200
    assert "GET" not in done.said


def test_the_token_on_the_owners_own_web_server_proves_a_name(there: Place) -> None:
    host = "http.acme.example"
    there.records[host, "A"] = [CUSTOMER]
    token = add(there, host)
    refused = prove(there, host, code=2)
    assert f"http://{CUSTOMER}/{WELL_KNOWN} answers 404 without its token" in refused.err
    show(there, "somebody else's")
    assert "answers 200 without its token" in prove(there, host, code=2).err
    show(there, f"{token}\n")
    assert "is routed" in prove(there, host).out
    assert ask(host) == 200


def test_dns_that_leads_here_proves_a_name_and_its_certificate_is_there(there: Place) -> None:
    host = "here.acme.example"
    add(there, host)
    assert "DNS gives no address for it" in prove(there, host, code=2).err
    there.records[host, "A"] = [SERVER]
    done = prove(there, host)
    assert "its certificate is there, by" in done.said
    assert ask(host) == 200
    folder = there.server.state / "gateway/caddy/data/certificates"
    assert len(list(folder.glob(f"*/{host}/{host}.crt"))) == 1


def test_an_address_of_a_private_network_is_not_asked(there: Place) -> None:
    host = "inside.acme.example"
    token = add(there, host)
    show(there, token)  # the neighbour would say the right thing
    there.records[host, "A"] = [NEIGHBOUR, "127.0.0.1"]
    before = there.hits()
    refused = prove(there, host, code=2)
    for address in (NEIGHBOUR, "127.0.0.1"):
        assert f"{address} is no public address and was not asked" in refused.err
    assert there.hits() == before
    assert ask(host) in REFUSED


def test_dns_that_fails_is_said(there: Place) -> None:
    host = "dead.acme.example"
    add(there, host)
    there.records[host, "A"] = there.records[f"_berthmaster.{host}", "TXT"] = []
    said = prove(there, host, code=2).err
    assert f"DNS does not answer for _berthmaster.{host}; DNS does not answer for {host}" in said


def test_a_web_server_that_redirects_is_not_followed(there: Place) -> None:
    host = "redirects.acme.example"
    there.records[host, "A"] = [CUSTOMER]
    token = add(there, host)
    (there.web / WELL_KNOWN).unlink(missing_ok=True)
    (there.web / WELL_KNOWN).mkdir(parents=True)  # the server answers 301 to the folder
    (there.web / WELL_KNOWN / "index.html").write_text(token)
    assert "answers 301 without its token" in prove(there, host, code=2).err


def add(there: Place, host: str) -> str:
    """Add a customer's own name; the token that its owner is to show."""
    words = ("-C", str(_folder(there)), "domain", "add", "prod", host, "--tenant", "acme")
    done = asyncio.run(there.server.berth(*words))
    assert done.code == 0, done.said
    found = re.search(rf'_berthmaster\.{host} "(\w+)"', done.said)
    assert found, done.said
    return found[1]


def prove(there: Place, host: str, *, code: int = 0) -> Ended:
    done = asyncio.run(there.server.berth("domain", "prove", host))
    assert done.code == code, done.said
    return done


def show(there: Place, text: str) -> None:
    """Let the customer's own web server answer this at the known path."""
    file = there.web / WELL_KNOWN
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def ask(host: str) -> int | None:
    """What a visitor of the name gets over TLS from this server; None: no certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, 443, timeout=60, context=context)
    connection.sock = _shaken(context, host)
    if connection.sock is None:
        return None
    connection.request("GET", "/")
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def _shaken(context: ssl.SSLContext, host: str) -> ssl.SSLSocket | None:
    plain = socket.create_connection((SERVER, 443), timeout=60)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLError:
        plain.close()
        return None


def _folder(there: Place) -> Path:
    return there.server.root / "shop"
