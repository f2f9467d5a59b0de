"""`berth gateway`: firewall, processes, and the table rebuilt from the store when it differs."""

from dataclasses import dataclass, replace
from typing import Final

from berthmaster.domain.errors import GatewayRefused, OutsideError
from berthmaster.domain.routing import GatewayStatus, RouteTable
from berthmaster.domain.table import is_empty
from berthmaster.engine.lease import hold
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import Event
from berthmaster.services.domains.tell_apps import tell_apps
from berthmaster.services.route_table import compare_tables, wanted_table

SERVER_LEASE: Final = "server"
START_SECONDS: Final = 10.0  # HAProxy with 1,000 backends answers its socket within one
POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Gateway:
    """What `gateway up` did, and how the gateway is now."""

    status: GatewayStatus
    told: tuple[str, ...]


async def bring_up_gateway(outside: Outside) -> Gateway:
    """Bring firewall, router and edge up and rebuild the table; changes nothing that is right."""
    told = []
    async with hold(outside.store, SERVER_LEASE, what="berth gateway up"):
        if await outside.firewall.ensure(outside.address_block, outside.listened_ports):
            told.append("the firewall chain was written")
        told += await outside.gateway.up(outside.entrypoints)
        told += await _rebuild(outside)
        if tell_apps(outside):
            told.append("the ask responder was told which apps it asks")
        outside.store.record(Event(outside.clock.now(), outside.actor, None, "gateway_brought_up"))
    return Gateway(await read_gateway(outside), tuple(told) or ("everything was as it should be",))


async def take_down_gateway(outside: Outside) -> None:
    """Stop router and edge: nothing answers until `gateway up`.

    The firewall chain stays as long as there is a stack that it guards.
    """
    async with hold(outside.store, SERVER_LEASE, what="berth gateway down"):
        await outside.gateway.down()
        if not outside.store.stacks():
            await outside.firewall.remove(outside.address_block)
        outside.store.record(Event(outside.clock.now(), outside.actor, None, "gateway_taken_down"))


async def read_gateway(outside: Outside) -> GatewayStatus:
    """What runs, and every difference between the store's table and the router's memory."""
    status = await outside.router.status()
    if not status.is_router_up:
        return status
    found = await outside.router.table()
    lines = (*status.differences, *compare_tables(wanted_table(outside, found), found))
    return replace(status, differences=tuple(dict.fromkeys(lines)))


async def _rebuild(outside: Outside) -> list[str]:
    found = await _table(outside)
    wanted = wanted_table(outside, found)
    differences = compare_tables(wanted, found)
    if not differences:
        return []
    if is_empty(wanted):
        return ["the store knows no live release, so the router's table was left as it is"]
    await outside.router.replace_table(wanted)
    return [f"the table was rebuilt from the store ({len(differences)} differences)"]


async def _table(outside: Outside) -> RouteTable:
    """The router's table, waiting for a router that has just been started."""
    start = outside.clock.monotonic()
    while True:
        try:
            return await outside.router.table()
        except OutsideError as error:
            if outside.clock.monotonic() - start > START_SECONDS:
                raise GatewayRefused(
                    f"the router does not answer {START_SECONDS:.0f} s after its start:"
                    f" {error.message}",
                    subject="gateway",
                    next_command="berth gateway status",
                ) from error
            await outside.clock.sleep(POLL_SECONDS)
