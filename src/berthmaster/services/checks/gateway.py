"""Checks of the way in: entrypoint, its port, router, firewall, host names, certificates."""

import asyncio
from datetime import datetime
from ipaddress import ip_address
from typing import Final

from berthmaster.domain import checks
from berthmaster.domain.check import Check
from berthmaster.domain.errors import GatewayRefused
from berthmaster.domain.hosting import is_covered
from berthmaster.domain.routing import Entrypoint, Tls
from berthmaster.services.bring_up_gateway import read_gateway
from berthmaster.services.checks.facts import CheckFacts
from berthmaster.services.route_table import claims_in_store

SHOWN_DIFFERENCES: Final = 3
DNS_SECONDS: Final = 3.0
HANDSHAKE_SECONDS: Final = 5.0
LOOPBACK: Final = "127.0.0.1"
LATE: Final = 0.1  # of a certificate's life: whoever renews it has failed for long by then
# Names that never are in DNS, or never anybody's (RFC 2606, RFC 6761).
_RESERVED: Final = ("test", "example", "invalid", "localhost", "local", "internal", "home.arpa")
_EXAMPLES: Final = ("example.com", "example.net", "example.org")


async def check_entrypoint(facts: CheckFacts) -> list[Check]:
    """The environment's entrypoint belongs to this server."""
    wanted = facts.environment.entrypoint
    known = {item.name: item.port for item in facts.outside.entrypoints}
    if not facts.spec.routes and not facts.spec.sites:
        return [checks.ENTRYPOINT.ok("the app has no routes and needs none")]
    if wanted in known:
        return [checks.ENTRYPOINT.ok(f"{wanted} is port {known[wanted]}")]
    names = ", ".join(known) or "none"
    evidence = f"{wanted!r} is no entrypoint of this server; it has {names}"
    return [checks.ENTRYPOINT.failed(evidence)]


async def check_entrypoint_port(facts: CheckFacts) -> list[Check]:
    """The entrypoint's port is the gateway's, or free for it."""
    entrypoint = _entrypoint(facts)
    if entrypoint is None:
        return []
    host, port = facts.outside.host, entrypoint.port
    if (await facts.outside.router.status()).is_router_up:
        return [checks.ENTRYPOINT_PORT.ok(f"port {port} is the gateway's")]
    if not host.is_port_taken(port):
        return [checks.ENTRYPOINT_PORT.ok(f"port {port} is free")]
    owner = host.port_owner(port) or "a process that nobody may look at"
    owner = await _named_container(facts, owner)
    return [checks.ENTRYPOINT_PORT.failed(f"port {port} is taken by {owner}")]


async def _named_container(facts: CheckFacts, owner: str) -> str:
    """A container's address or id, at the end, becomes its name."""
    what = owner.rpartition(" ")[2]
    for item in await facts.outside.runtime.containers({}):
        if what and (what == item.id or what in item.addresses.values()):
            return f"container {item.name}"
    return owner


async def check_hosts(facts: CheckFacts) -> list[Check]:
    """No other stack answers the environment's hosts on its entrypoint."""
    there, project = facts.environment, facts.stack.project
    try:
        claims = (await facts.outside.router.table()).hosts
    except GatewayRefused:
        claims = tuple(claims_in_store(facts.outside))
    found = [
        checks.HOSTS.failed(f"{claim.host} on {claim.entrypoint} belongs to {claim.stack}")
        for claim in claims
        if claim.entrypoint == there.entrypoint
        and claim.stack != project
        and claim.host in there.hosts
    ]
    names = ", ".join(there.hosts) or "none named"
    return found or [checks.HOSTS.ok(f"{names}: no other stack has them")]


async def check_gateway(facts: CheckFacts) -> list[Check]:
    """The router is up and knows what the store knows."""
    status = await read_gateway(facts.outside)
    if not status.is_router_up:
        return [checks.GATEWAY.failed("the router does not run")]
    if status.differences:
        shown = "; ".join(status.differences[:SHOWN_DIFFERENCES])
        evidence = f"{len(status.differences)} differences to the store: {shown}"
        return [checks.GATEWAY.failed(evidence)]
    return [checks.GATEWAY.ok("router up, its table equals the store's")]


async def check_firewall(facts: CheckFacts) -> list[Check]:
    """The chain is as it should be."""
    block, ports = facts.outside.address_block, facts.outside.listened_ports
    found = await facts.outside.firewall.differences(block, ports)
    if not found:
        return [checks.FIREWALL.ok(f"the chain guards {block}")]
    evidence = f"{len(found)} rules of the chain differ, for example {found[0]}"
    return [checks.FIREWALL.failed(evidence)]


async def check_dns(facts: CheckFacts) -> list[Check]:
    """Every host has an address, of this machine or of what stands before it."""
    hosts = [host for host in facts.environment.hosts if not host.startswith("*.")]
    answers = await asyncio.gather(*(_resolved(facts, host) for host in hosts))
    return list(answers) or [checks.DNS.ok("no host to look up")]


async def _resolved(facts: CheckFacts, host: str) -> Check:
    if _is_reserved(host):
        return checks.DNS.note(f"{host} is a name for trials: it is in no public DNS")
    found = await facts.outside.host.resolve(host, timeout_seconds=DNS_SECONDS)
    if found is None:
        return checks.DNS.not_asked(
            f"no DNS server answered for {host}", "look at /etc/resolv.conf"
        )
    if not found:
        return checks.DNS.failed(f"{host} has no address")
    shown = ", ".join(found[:3])
    if set(found) & facts.outside.host.addresses() or any(ip_address(a).is_loopback for a in found):
        return checks.DNS.ok(f"{host} is {shown}, this machine")
    return checks.DNS.note(
        f"{host} is {shown}, no address of this machine: right behind a tunnel or load balancer"
    )


def _is_reserved(host: str) -> bool:
    return any(host == name or host.endswith(f".{name}") for name in (*_RESERVED, *_EXAMPLES))


async def check_certificate(facts: CheckFacts) -> list[Check]:
    """What visitors of a live stack are shown is for the host and is renewed in time."""
    entrypoint, record = _entrypoint(facts), facts.outside.store.stack(facts.stack)
    if entrypoint is None or entrypoint.tls is Tls.OFF:
        return [checks.CERTIFICATE.ok("TLS ends elsewhere")]
    hosts = [host for host in facts.environment.hosts if not host.startswith("*.")]
    if record is None or record.live is None:
        return [checks.CERTIFICATE.unknown("there is none before the first deploy")]
    answers = await asyncio.gather(*(_shown(facts, entrypoint, host) for host in hosts))
    return list(answers) or [checks.CERTIFICATE.ok("no host has one")]


async def _shown(facts: CheckFacts, entrypoint: Entrypoint, host: str) -> Check:
    found = await facts.outside.prober.certificate(
        LOOPBACK, entrypoint.port, host, timeout_seconds=HANDSHAKE_SECONDS
    )
    now = facts.outside.clock.now()
    if found.error or found.ends_at is None or found.begins_at is None:
        return checks.CERTIFICATE.failed(f"{host}: {found.error or 'it cannot be read'}")
    if not is_covered(host, found.names):
        names = ", ".join(found.names[:3]) or "nobody"
        return checks.CERTIFICATE.failed(f"{host} is shown a certificate of {names}")
    if _left(found.begins_at, found.ends_at, now) < LATE:
        return checks.CERTIFICATE.failed(f"{host}: ends {found.ends_at:%Y-%m-%d %H:%M} UTC")
    return checks.CERTIFICATE.ok(f"{host}: until {found.ends_at:%Y-%m-%d}, by {found.issuer}")


def _left(begins_at: datetime, ends_at: datetime, now: datetime) -> float:
    """The share of its life that a certificate has left."""
    whole = (ends_at - begins_at).total_seconds()
    return (ends_at - now).total_seconds() / max(whole, 1.0)


def _entrypoint(facts: CheckFacts) -> Entrypoint | None:
    """The environment's entrypoint; None when the app has no routes or the server not this one."""
    if not facts.spec.routes and not facts.spec.sites:
        return None
    known = {item.name: item for item in facts.outside.entrypoints}
    return known.get(facts.environment.entrypoint)
