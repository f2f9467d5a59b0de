"""The route table as map entries and as the pool's configuration, and back; text only, no I/O.

The router's files and its memory use the same keys and values, so that they can be compared:

    hosts        https|shop.example.com   shop-prod, with `:h` or `:o` when a header names tenants
    live         shop-prod                shop-prod/r7
    prefixes     shop-prod/r7/api/        b0012::      or `site:web:`; the third field counts the
                                                       segments to strip, a fourth `h` says that
                                                       the release has routes of single hosts:
                 shop-prod/r7|api.shop.test/v2/        b0013::
    maintenance  shop-prod                1
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from berthmaster.adapters.haproxy.layout import PoolSize
from berthmaster.domain.errors import GatewayRefused
from berthmaster.domain.routing import Backend, HostClaim, Naming, Prefix, RouteTable
from berthmaster.domain.table import tidied

MAPS: Final = ("prefixes", "hosts", "maintenance", "live")  # the order in which additions are safe
SITE_BACKEND: Final = "site"
OWN_HOSTS: Final = ":h"  # ends the value of a prefix whose release has some for single hosts
NOWHERE: Final = ("127.0.0.1", 1)  # of an empty slot, which is in maintenance too
WAITING: Final = 100  # requests that may wait for the servers of a slot; the next one is refused
# Here and not in the defaults: there `queue` does not know whose queue is meant.
_FULL: Final = (
    f"http-request deny deny_status 503 if {{ queue ge {WAITING} }} !{{ var(txn.probe) -m found }}"
)
_FORCED_MAINTENANCE: Final = 1  # bit of srv_admin_state; others tell how it was at start
_FOUND: Final = re.compile(r'key="([^"]*)", value="([^"]*)"')
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~:/|*-]+\Z")

Entries = dict[str, str]


def backend_name(slot: int) -> str:
    """`b0012`."""
    return f"b{slot:04d}"


def host_key(entrypoint: str, host: str) -> str:
    """How the map of hosts names a place."""
    return f"{entrypoint}|{host}"


def parse_found(said: str) -> list[tuple[str, str]]:
    """Keys and values of answers to `get map`."""
    return [(found[1], found[2]) for found in _FOUND.finditer(said)]


def render_entries(table: RouteTable) -> dict[str, Entries]:
    """Every map's keys and values; raises `GatewayRefused` for text that a map cannot hold."""
    entries = {
        "hosts": {host_key(item.entrypoint, item.host): _claim_value(item) for item in table.hosts},
        "live": dict(table.live),
        "prefixes": _render_prefixes(table.prefixes),
        "maintenance": dict.fromkeys(sorted(table.maintenance), "1"),
    }
    texts = {text for one in entries.values() for pair in one.items() for text in pair}
    if not all(texts) or not _PLAIN.match("".join(texts) or "-"):
        bad = next((text for text in texts if not _PLAIN.match(text)), "")
        raise GatewayRefused(f"{bad!r} cannot be written to the router", subject="router")
    return entries


def render_map(entries: Mapping[str, str]) -> str:
    """A map file."""
    return "".join(f"{key} {value}\n" for key, value in sorted(entries.items()))


def parse_map(text: str) -> list[tuple[str, str]]:
    """Keys and values of `show map`, whose lines start with an address, or of a map file."""
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return [(words[-2], words[-1]) for words in lines if len(words) >= 2]


def parse_claims(entries: Mapping[str, str]) -> tuple[HostClaim, ...]:
    """The claims that the host map's entries stand for."""
    return tuple(_parse_claim(key, stack) for key, stack in entries.items())


def render_pool(backends: Iterable[Backend], size: PoolSize) -> str:
    """The pool's configuration, with the addresses that it starts with."""
    filled = {backend.slot: backend for backend in backends}
    lines = [
        "# The router's pool, written by Berthmaster beside each change; read only at start.",
        "",
    ]
    for slot in range(1, size.backends + 1):
        lines.append(f"backend {backend_name(slot)} from pool")
        lines.append(f"    {_FULL}")
        lines += _render_servers(filled.get(slot), size.servers_per_backend)
    return "\n".join(lines) + "\n"


def parse_servers(text: str) -> tuple[Backend, ...]:
    """The filled slots of `show servers state`; a server in maintenance holds nothing."""
    slots: dict[int, list[str]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) < 19 or not re.match(r"b\d+\Z", words[1]):
            continue
        if not int(words[6]) & _FORCED_MAINTENANCE:
            slots.setdefault(int(words[1][1:]), []).append(f"{words[4]}:{words[18]}")
    return tuple(Backend(slot, tuple(servers)) for slot, servers in sorted(slots.items()))


def parse_limits(text: str) -> dict[int, int]:
    """The limit of each slot whose servers have one, all the same, of answers to `show stat`."""
    import csv

    found: dict[int, set[int]] = {}
    for row in csv.reader(text.splitlines()):
        if len(row) < 18 or not re.match(r"b\d+\Z", row[0]) or not re.match(r"s\d+\Z", row[1]):
            continue
        if not row[17].startswith("MAINT"):
            found.setdefault(int(row[0][1:]), set()).add(int(row[6] or 0))
    return {slot: one.pop() for slot, one in found.items() if len(one) == 1 and one != {0}}


def parse_table(maps: Mapping[str, Mapping[str, str]], backends: Iterable[Backend]) -> RouteTable:
    """The table in the router's memory; raises `GatewayRefused` for entries that are not ours."""
    try:
        return tidied(
            RouteTable(
                hosts=tuple(_parse_claim(key, value) for key, value in maps["hosts"].items()),
                live=dict(maps["live"]),
                prefixes=tuple(
                    _parse_prefix(key, value) for key, value in maps["prefixes"].items()
                ),
                backends=tuple(backends),
                maintenance=frozenset(maps["maintenance"]),
            )
        )
    except (ValueError, IndexError) as error:
        raise GatewayRefused(
            f"the router holds an entry that is not ours: {error}", subject="router"
        ) from error


def _render_prefixes(prefixes: Iterable[Prefix]) -> Entries:
    """Those for every host tell the router when it has to look for one of the host's own."""
    prefixes = tuple(prefixes)
    by_host = {prefix.release for prefix in prefixes if prefix.host}
    entries = {}
    for prefix in prefixes:
        mark = OWN_HOSTS if prefix.release in by_host and not prefix.host else ""
        entries[_prefix_key(prefix)] = f"{_prefix_value(prefix)}{mark}"
    return entries


def _prefix_key(prefix: Prefix) -> str:
    host = f"|{prefix.host}" if prefix.host else ""
    return f"{prefix.release}{host}{prefix.path.rstrip('/')}/"


def _prefix_value(prefix: Prefix) -> str:
    strip = str(prefix.path.count("/")) if prefix.strip else ""
    if prefix.backend is not None:
        return f"{backend_name(prefix.backend)}::{strip}"
    return f"{SITE_BACKEND}:{prefix.site}:{strip}"


def _render_servers(backend: Backend | None, count: int) -> list[str]:
    address, port = NOWHERE
    if backend is None or not backend.servers:
        return [f"    server-template s 1-{count} {address}:{port} disabled"]
    most = f" maxconn {backend.limit}" if backend.limit else ""
    servers = [f"{server}{most}" for server in backend.servers]
    padded = (*servers, *[f"{address}:{port} disabled"] * (count - len(servers)))
    return [f"    server s{number} {server}" for number, server in enumerate(padded, 1)]


def _claim_value(claim: HostClaim) -> str:
    return f"{claim.stack}:{claim.naming}" if claim.naming else claim.stack


def _parse_claim(key: str, value: str) -> HostClaim:
    entrypoint, _, host = key.partition("|")
    stack, _, naming = value.partition(":")
    return HostClaim(entrypoint, host, stack, Naming(naming) if naming else Naming.NONE)


def _parse_prefix(key: str, value: str) -> Prefix:
    stack, number, path = key.split("/", 2)
    number, _, host = number.partition("|")
    backend, site, strip = value.removesuffix(OWN_HOSTS).split(":")
    slot = None if backend == SITE_BACKEND else int(backend[1:])
    path = f"/{path}".rstrip("/") or "/"
    return Prefix(f"{stack}/{number}", path, slot, site or None, bool(strip), host or None)
