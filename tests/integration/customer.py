"""A customer of a server: their DNS, their own web server, and the network between.

The server is an engine of its own (`tests/scenario/engine.py`) in a network of its own, so that its
gateway has port 80, its resolver is the customer's, and nothing leaves the machine although the
addresses look public.
"""

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from tests.scenario.commands import start
from tests.scenario.engine import Engine, wait_for
from tests.scenario.server import Server

PUBLIC: Final = "11.77.0"  # of nobody in these namespaces, and no private network
SERVER: Final = f"{PUBLIC}.1"
CUSTOMER: Final = f"{PUBLIC}.2"
NEIGHBOUR: Final = "10.66.0.2"  # the same web server, at an address that must not be asked
RESOLVER: Final = "127.0.0.1"
Records = dict[tuple[str, str], list[str]]  # (name, type) -> texts, as in a zone file


@dataclass
class Place:
    """The server, what DNS says, and what the customer's web server was asked."""

    engine: Engine
    server: "Resolved"
    records: Records
    web: Path  # folder that the customer's server shows
    log: Path

    def hits(self) -> list[str]:
        """Request lines that the customer's web server has seen."""
        return [line.split('"')[1] for line in self.log.read_text().splitlines() if '"' in line]


@dataclass
class Resolved(Server):
    """A server whose programs ask the customer's DNS: `resolv.conf` is their own."""

    resolver: Path = field(default_factory=Path)

    def take_ports(self, plain: int, https: int) -> None:
        """The gateway's ports, instead of free ones."""
        self.write_settings()
        path = self.root / "settings.toml"
        text = path.read_text()
        for old, new in ((self.plain, plain), (self.https, https)):
            text = text.replace(f"port = {old}\n", f"port = {new}\n")
        path.write_text(text.replace("_port = 443", f"_port = {self.ask_port}"))
        self.plain, self.https = plain, https

    async def start(
        self, *words: str, env: Mapping[str, str] | None = None
    ) -> asyncio.subprocess.Process:
        """The command with another `/etc/resolv.conf`, which only it and its children see."""
        variables = {"BERTHMASTER_SETTINGS": str(self.root / "settings.toml"), **(env or {})}
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        berth = str(Path(sys.executable).with_name("berth"))
        return await start(
            *("unshare", "--mount", "sh", "-c", script, str(self.resolver), berth, *words),
            env=variables,
        )


@contextlib.contextmanager
def place(engine: Engine) -> Iterator[Place]:
    """An engine that runs, a customer beside it; the calling thread is on the server."""
    root = engine.root / "b"
    root.mkdir()
    resolver = engine.root / "resolv.conf"
    resolver.write_text(f"nameserver {RESOLVER}\noptions timeout:5 attempts:2\n")
    server = Resolved(root=root, resolver=resolver)
    web, log, records = engine.root / "web", engine.root / "web.log", Records()
    web.mkdir()
    with contextlib.ExitStack() as stack:
        theirs = stack.enter_context(_network(engine.name))
        stack.enter_context(_web_server(theirs, web, log))
        stack.enter_context(engine.inside())
        stack.enter_context(_dns(records))
        yield Place(engine, server, records, web, log)


@contextlib.contextmanager
def _network(ours: str) -> Iterator[str]:
    """A second namespace, joined to the server's by one cable."""
    theirs = f"{ours}c"
    _run("ip", "netns", "add", theirs)
    try:
        _run(
            "ip",
            "-netns",
            ours,
            *["link", "add", "wan", "type", "veth", "peer", "name", "wan", "netns"],
            theirs,
        )
        addresses = ((ours, (SERVER, "10.66.0.1")), (theirs, (CUSTOMER, NEIGHBOUR)))
        for name, own in addresses:
            for address in own:
                _run("ip", "-netns", name, "address", "add", f"{address}/24", "dev", "wan")
            _run("ip", "-netns", name, "link", "set", "wan", "up")
        yield theirs
    finally:
        subprocess.run(["ip", "netns", "del", theirs], capture_output=True, check=False)


@contextlib.contextmanager
def _web_server(namespace: str, folder: Path, log: Path) -> Iterator[None]:
    """On port 80 of every address there."""
    words = ("ip", "netns", "exec", namespace, sys.executable, "-u", "-m", "http.server", "80")
    with log.open("wb") as file:
        process = subprocess.Popen((*words, "--directory", str(folder)), stdout=file, stderr=file)
    try:
        wait_for(lambda: b"Serving" in log.read_bytes(), 60, log.read_text)
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def _dns(records: Records) -> Iterator[None]:
    """Answer from the records, on the server's loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind((RESOLVER, 53))
        thread = threading.Thread(target=_answer_all, args=(there, records))
        thread.start()
        yield
        there.sendto(b"", there.getsockname())  # nothing is nobody's question: it ends
        thread.join()


def _answer_all(there: socket.socket, records: Records) -> None:
    while True:
        data, peer = there.recvfrom(4096)
        if not data:
            return
        with contextlib.suppress(dns.exception.DNSException, OSError):
            there.sendto(_answer(dns.message.from_wire(data), records).to_wire(), peer)


def _answer(asked: dns.message.Message, records: Records) -> dns.message.Message:
    """`SERVFAIL` for a name that has `[]` of something, `NXDOMAIN` for one that has nothing."""
    answer = dns.message.make_response(asked, recursion_available=True)
    question = asked.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    own = {kind: texts for (known, kind), texts in records.items() if known == name}
    if not all(own.values()):
        answer.set_rcode(dns.rcode.SERVFAIL)
    elif texts := own.get(dns.rdatatype.to_text(question.rdtype)):
        rows = dns.rrset.from_text_list(question.name, 1, dns.rdataclass.IN, question.rdtype, texts)
        answer.answer.append(rows)
    elif not own:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer


def _run(*words: str) -> None:
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{' '.join(words)}: {ended.stderr}"
