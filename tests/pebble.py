"""Pebble, the ACME project's own test authority, with a DNS server that says 127.0.0.1 to all."""

import asyncio
import contextlib
import json
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from tests.apart import free_ports

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "PEBBLE_VA_NOSLEEP": "1",
    "PEBBLE_WFE_NONCEREJECT": "0",
    "PEBBLE_AUTHZREUSE": "0",
}


@dataclass
class Authority:
    """Where the authority answers and what it said; its root is new at each start."""

    folder: Path
    port: int
    management_port: int
    address: str = "127.0.0.1"  # of this machine

    @property
    def directory(self) -> str:
        return f"https://{self.address}:{self.port}/dir"

    @property
    def ca_root(self) -> Path:
        """What a client of the authority's own interface has to trust."""
        return self.folder / "pebble.pem"

    @property
    def log(self) -> str:
        return (self.folder / "pebble.log").read_text()

    @property
    def order_count(self) -> int:
        """How often somebody asked for a certificate."""
        return self.log.count("Added order ")

    async def trust(self) -> ssl.SSLContext:
        """A client that trusts what it issues, and nothing else."""
        own = ssl.create_default_context(cafile=str(self.ca_root))
        url = f"https://{self.address}:{self.management_port}/roots/0"
        async with aiohttp.ClientSession() as session, session.get(url, ssl=own) as answer:
            return ssl.create_default_context(cadata=await answer.text())


async def prepare(folder: Path, address: str = "127.0.0.1") -> Authority:
    """Ports and the certificate of the authority's own interface."""
    port, management_port = free_ports(2)
    made = Authority(folder, port, management_port, address)
    await _run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-subj", "/CN=pebble", "-addext", f"subjectAltName=IP:{address}", "-days", "2"),
        *("-keyout", str(folder / "pebble.key"), "-out", str(made.ca_root)),
    )
    return made


@asynccontextmanager
async def serving(authority: Authority, *, http_port: int, tls_port: int) -> AsyncIterator[None]:
    """Run it; it looks at names on these ports of this machine."""
    dns, dns_management = free_ports(2)
    config = authority.folder / "pebble.json"
    config.write_text(json.dumps({"pebble": _settings(authority, http_port, tls_port)}))
    names = ("pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "")
    off = ("-http01", "", "-https01", "", "-tlsalpn01", "")
    places = ("-dns01", f"127.0.0.1:{dns}", "-management", f"127.0.0.1:{dns_management}")
    pebble = ("pebble", "-config", str(config), "-dnsserver", f"127.0.0.1:{dns}")
    async with _process(authority, *names, *off, *places), _process(authority, *pebble):
        own = (authority.port, authority.management_port)
        ours = [(authority.address, port) for port in own]
        await _until_listening(*ours, ("127.0.0.1", dns_management))
        yield


def _settings(authority: Authority, http_port: int, tls_port: int) -> dict[str, object]:
    return {
        "listenAddress": f"{authority.address}:{authority.port}",
        "managementListenAddress": f"{authority.address}:{authority.management_port}",
        "certificate": str(authority.ca_root),
        "privateKey": str(authority.folder / "pebble.key"),
        "httpPort": http_port,
        "tlsPort": tls_port,
    }


@asynccontextmanager
async def _process(authority: Authority, *command: str) -> AsyncIterator[None]:
    with (authority.folder / f"{command[0]}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT
        )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0, command


async def _until_listening(*places: tuple[str, int]) -> None:
    async with asyncio.timeout(60):
        for place in places:
            while not await _listens(*place):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)


async def _listens(address: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(address, port)
    except OSError:
        return False
    writer.close()
    return True
