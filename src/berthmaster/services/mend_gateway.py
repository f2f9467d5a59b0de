"""Part of `berth tick`: the gateway and the firewall are again as the store and the settings say.

A truncated map, a file edited by hand or rules lost at a boot are put right before anybody notices.
A gateway that a person took down stays down.
"""

import contextlib

from berthmaster.domain.errors import LeaseHeld
from berthmaster.ports.outside import Outside
from berthmaster.services.bring_up_gateway import bring_up_gateway, read_gateway

BROUGHT_UP, TAKEN_DOWN = "gateway_brought_up", "gateway_taken_down"


async def mend_gateway(outside: Outside, *, starts: bool = False) -> tuple[str, ...]:
    """Mend what differs; returns a line for each thing done.

    With `starts`, the table is compared with every record of the store, and router and edge that do
    not run are brought up, unless the last word about them was to take them down. Does nothing
    before the first `berth gateway up`.
    """
    status = await (read_gateway(outside) if starts else outside.router.status())
    is_down = not (status.is_router_up and status.is_edge_up) or status.is_ask_up is False
    if not status.is_router_up and not starts:
        return ()
    if not (status.differences or is_down or await _firewall_differs(outside)):
        return ()
    if not _is_wanted(outside):
        return ()
    with contextlib.suppress(LeaseHeld):
        return tuple(f"gateway: {line}" for line in (await bring_up_gateway(outside)).told)
    return ()


async def _firewall_differs(outside: Outside) -> bool:
    block, ports = outside.address_block, outside.listened_ports
    return bool(await outside.firewall.differences(block, ports))


def _is_wanted(outside: Outside) -> bool:
    last = outside.store.last_event(BROUGHT_UP, TAKEN_DOWN)
    return last is not None and last.what == BROUGHT_UP
