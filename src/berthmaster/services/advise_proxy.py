"""What a person changes in their own proxy so that it passes requests to the gateway.

Looks only. Which proxy it is: the project's own, then who has port 80 or 443, in a container or on
the machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network

from berthmaster.domain.container import PROJECT_LABEL, SERVICE_LABEL, Container, is_ours
from berthmaster.domain.hosting import public_host
from berthmaster.domain.release import Release
from berthmaster.domain.routing import Entrypoint, Tls
from berthmaster.domain.spec import Role
from berthmaster.planner.proxies import ProxyKind, kind_of
from berthmaster.planner.proxyhint import Hint, Target, hint_for
from berthmaster.ports.outside import Outside
from berthmaster.services.read_proxy import USUAL, read_proxy


@dataclass(frozen=True, slots=True)
class Advice:
    """The gateway's address as the proxy reaches it, and the change."""

    url: str
    proxy: str = ""  # container, or the machine's process
    hint: Hint = field(default_factory=lambda: Hint(ProxyKind.OTHER))
    notes: tuple[str, ...] = ()


async def advise_proxy(outside: Outside, release: Release) -> Advice | None:
    """None for an app that takes no requests."""
    entry = next((one for one in outside.entrypoints if one.name == release.entrypoint), None)
    if entry is None or not release.routes:
        return None
    rows = [
        item
        for item in await outside.runtime.containers({}, detailed=True)
        if item.is_running and not is_ours(item.labels)
    ]
    found = _in_front(rows, release)
    if found is None:
        return await _on_the_machine(outside, release, entry)
    proxy = await read_proxy(outside, found, rows)
    address, subnet = await _this_machine(outside, found)
    target = _target(entry, release, address)
    hint = hint_for(proxy.kind, proxy.config, target, callees(rows, release), found.name)
    return Advice(target.url, found.name, hint, await _notes(outside, entry, subnet))


def _in_front(rows: Sequence[Container], release: Release) -> Container | None:
    names = {item.name for item in release.with_role(Role.REPLACED)}
    own = [item for item in rows if item.labels.get(PROJECT_LABEL) == release.adopted_from]
    members = set(release.adopted)
    rest = [item for item in own if item.name not in members]
    return next(
        (
            *(item for item in own if item.labels.get(SERVICE_LABEL) in names),
            *(item for item in rest if kind_of(item.image) is not ProxyKind.OTHER),
            *(item for item in rows if any(one.port in USUAL for one in item.published)),
        ).__iter__(),
        None,
    )


async def _on_the_machine(outside: Outside, release: Release, entry: Entrypoint) -> Advice:
    owners = (outside.host.port_owner(port) for port in USUAL)
    owner = next((one for one in owners if one and "docker-proxy" not in one), "")
    kind = kind_of(owner.partition(" ")[0])
    target = _target(entry, release, "127.0.0.1")
    is_known = kind is not ProxyKind.OTHER
    hint = hint_for(kind, "", target, frozenset(), "")
    notes = await _notes(outside, entry, "127.0.0.1/32")
    return Advice(target.url, owner if is_known else "", hint, notes)


def _target(entry: Entrypoint, release: Release, address: str) -> Target:
    is_tls = entry.tls is not Tls.OFF
    own = entry.tls is Tls.LOCAL
    return Target(address, entry.port, public_host(release), is_tls, own)


async def _this_machine(outside: Outside, proxy: Container) -> tuple[str, str]:
    """This machine's address in a network of the proxy, and that network's block."""
    if proxy.shares_host_network:
        return "127.0.0.1", "127.0.0.1/32"
    for network in await outside.runtime.networks():
        subnets = [item for item in network.subnets if ":" not in item]
        if network.name in proxy.addresses and subnets:
            first = str(ip_network(subnets[0], strict=False)[1])
            given = [item for item in network.gateways if ":" not in item]
            return (given or [first])[0], subnets[0]
    return "127.0.0.1", "127.0.0.1/32"


def callees(rows: Sequence[Container], release: Release) -> frozenset[str]:
    """Service, container, addresses, and published ports of what takes requests."""
    found = set[str]()
    routed = release.with_role(Role.ROUTED)
    members = {name for item in routed for name in item.containers}
    for item in rows:
        if item.name in members:
            found |= {item.name, item.labels.get(SERVICE_LABEL, item.name)}
            found |= set(item.addresses.values())
            found |= {f"127.0.0.1:{one.port}" for one in item.published}
            found |= {f"localhost:{one.port}" for one in item.published}
    return frozenset(found)


async def _notes(outside: Outside, entry: Entrypoint, subnet: str) -> tuple[str, ...]:
    notes = []
    if subnet not in entry.trusted_proxies:
        notes.append(
            f'so that the app sees visitors\' addresses and https: trusted_proxies = ["{subnet}"]'
            f" of the entrypoint {entry.name} in settings.toml, then berth gateway up"
        )
    if not subnet.startswith("127.") and await outside.firewall.refused([entry.port]):
        notes.append(
            f"the host's firewall keeps containers out: ufw allow from {subnet} to any port"
            f" {entry.port} proto tcp"
        )
    return tuple(notes)
