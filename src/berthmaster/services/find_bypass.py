"""Whether visitors may reach what was adopted past the gateway: release 0 is not stopped then.

Looks at ports that Docker publishes, at the configuration of proxies that share a network with it,
and at who is connected to it. What cannot be read counts as a way, because a release that runs in
vain costs memory and one that is stopped too early costs visitors. Changes nothing.
"""

import re
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_address, ip_network

from berthmaster.domain.bypass import Bypass
from berthmaster.domain.container import LABEL_STACK, Container, is_ours
from berthmaster.domain.release import Release
from berthmaster.domain.spec import Role
from berthmaster.planner.proxies import ProxyKind
from berthmaster.planner.proxyhint import find_call
from berthmaster.ports.outside import Outside
from berthmaster.services.advise_proxy import callees
from berthmaster.services.read_proxy import USUAL, read_proxy


async def find_bypass(outside: Outside, release: Release) -> Bypass:
    """Of an adopted release; none where nothing of it runs that takes requests."""
    takeover = outside.gateway.takeover()
    if takeover is not None and takeover.stack == str(release.stack):
        return Bypass()
    rows = [item for item in await outside.runtime.containers({}) if item.is_running]
    found = [await _looked_at(outside, item) for item in rows if _is_routed(item, release)]
    members = [item for item in found if item is not None]
    if not members:
        return Bypass()
    seen, possible = list[str](), list[str]()
    for item in members:
        possible += [f"port {_place(one.address, one.port)} leads to it" for one in item.published]
    async for is_seen, reason in _proxies(outside, release, rows, members):
        (seen if is_seen else possible).append(reason)
    seen += await _callers(outside, release, rows, members)
    return Bypass(tuple(dict.fromkeys(seen)), tuple(dict.fromkeys(possible)))


async def _looked_at(outside: Outside, item: Container) -> Container | None:
    return await outside.runtime.container(item.id)


def _is_routed(item: Container, release: Release) -> bool:
    names = {name for one in release.with_role(Role.ROUTED) for name in one.containers}
    return item.name in names and release.adopted.get(item.name) == item.id


def _place(address: str, port: int) -> str:
    return f"{address}:{port}" if address else str(port)


async def _proxies(
    outside: Outside, release: Release, rows: Sequence[Container], members: Sequence[Container]
) -> AsyncIterator[tuple[bool, str]]:
    """Containers of others in a network with it, as far as they are proxies."""
    networks = {name for item in members for name in item.addresses}
    called = callees(members, release)
    for row in rows:
        is_beside = row.name not in release.adopted and networks & row.addresses.keys()
        if not is_beside or is_ours(row.labels):
            continue
        item = await _looked_at(outside, row)
        if item is None or item.shares_host_network:  # reaches it by a published port only
            continue
        proxy = await read_proxy(outside, item, members)
        where, line = find_call(proxy.kind, proxy.config, called)
        who = f"{item.name} ({proxy.kind})"
        if line:
            yield True, f"{who} passes requests to it: {where}: {line}"
        elif _may_pass(proxy.kind, proxy.config, called, item):
            yield False, f"{who} may pass requests to it"


def _may_pass(kind: ProxyKind, config: str, called: frozenset[str], item: Container) -> bool:
    """Whether its configuration speaks of the app, or cannot be read."""
    if kind is ProxyKind.OTHER:
        return any(one.port in USUAL for one in item.published)
    if kind is ProxyKind.TRAEFIK:
        return True  # a file of its may say so, too
    words = set(re.findall(r"[\w.-]+", config))
    return not config or bool(words & called)


async def _callers(
    outside: Outside, release: Release, rows: Sequence[Container], members: Sequence[Container]
) -> list[str]:
    """Who is connected, but the router, the app's own containers, and what it asks itself."""
    ports = [one.port for route in release.routes for one in route.upstreams]
    block = ip_network(outside.address_block)
    own = {
        address
        for item in rows
        if item.name in release.adopted or item.labels.get(LABEL_STACK) == str(release.stack)
        for address in item.addresses.values()
    }
    names = {address: item.name for item in rows for address in item.addresses.values()}
    found = list[str]()
    for item in members:
        for address in await outside.runtime.callers(item.id, ports):
            one = ip_address(address)
            if not (one in block or one.is_loopback or address in own):
                who = f"{names[address]} ({address})" if address in names else address
                found.append(f"{who} asks {item.name} past the gateway")
    return found
