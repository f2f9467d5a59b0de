"""Checks of the way in: entrypoint, router, firewall."""

from typing import Final

from berthmaster.domain import checks
from berthmaster.domain.check import Check
from berthmaster.services.bring_up_gateway import read_gateway
from berthmaster.services.checks.facts import CheckFacts

SHOWN_DIFFERENCES: Final = 3


async def check_entrypoint(facts: CheckFacts) -> list[Check]:
    """The environment's entrypoint belongs to this server."""
    wanted = facts.environment.entrypoint
    known = {item.name: item.port for item in facts.outside.entrypoints}
    if not facts.spec.routes and not facts.spec.sites:
        return [checks.ENTRYPOINT.ok("the app has no routes and needs none")]
    if wanted in known:
        return [checks.ENTRYPOINT.ok(f"{wanted} is port {known[wanted]}")]
    names = ", ".join(known) or "none"
    return [checks.ENTRYPOINT.failed(f"{wanted!r} is no entrypoint of this server; it has {names}")]


async def check_gateway(facts: CheckFacts) -> list[Check]:
    """The router is up and knows what the store knows."""
    status = await read_gateway(facts.outside)
    if not status.is_router_up:
        return [checks.GATEWAY.failed("the router does not run")]
    if status.differences:
        shown = "; ".join(status.differences[:SHOWN_DIFFERENCES])
        return [
            checks.GATEWAY.failed(f"{len(status.differences)} differences to the store: {shown}")
        ]
    return [checks.GATEWAY.ok("router up, its table equals the store's")]


async def check_firewall(facts: CheckFacts) -> list[Check]:
    """The chain is as it should be."""
    ports = [item.port for item in facts.outside.entrypoints]
    block = facts.outside.address_block
    found = await facts.outside.firewall.differences(block, ports)
    if not found:
        return [checks.FIREWALL.ok(f"the chain guards {block}")]
    evidence = f"{len(found)} rules of the chain differ, for example {found[0]}"
    return [checks.FIREWALL.failed(evidence)]
