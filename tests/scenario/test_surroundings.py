"""Docker, disk, registry, gateway, store and addresses fail under a deploy; nobody mends by hand.

The short form of `scripts/bench faults`, on two engines of its own.
"""

import asyncio
from functools import partial

import pytest
from tests.scenario import surroundings as fault
from tests.scenario.engine import Engine
from tests.scenario.surroundings import Fault, Row, laboratory

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


def disturbed(faults: list[Fault], *, live_restore: bool = False, size: str | None = None) -> None:
    """Each on the same server; all must be good."""

    async def rows(engine: Engine) -> list[Row]:
        return await fault.rows_of(await fault.furnish(engine), faults)

    with laboratory(live_restore=live_restore, size=size) as engine:
        found = asyncio.run(rows(engine))
    bad = [row for row in found if not row.is_good]
    assert not bad, "\n".join(map(str, bad))


@pytest.mark.requirement("R150")
def test_docker_store_gateway_and_strangers_need_no_hands() -> None:
    disturbed(
        [
            partial(fault.docker_stops, step="watch"),
            partial(fault.map_truncated, dies=False),
            partial(fault.store_damaged, how="overwritten"),
            partial(fault.registry_misbehaves, mood="wrong"),
            partial(fault.machine_reboots, step="watch"),
        ],
        live_restore=True,
    )


def test_a_disk_that_fills_up_in_the_middle_needs_space_and_nothing_else() -> None:
    disturbed([partial(fault.disk_full, step="await ready")], size="1500m")
