"""Slots and subnets after a kill at any step of any plan: none belongs to what does not run.

The world of `test_every_plan` as the next command leaves it, looked at from the addresses: they
are outside of plans, so no undo brings them back. The gateway's table is rebuilt in between, as
`berth tick` does before it finishes what was killed.
"""

import pytest
from tests.builders import SHOP
from tests.unit.engine.test_every_plan import KILLS, STEPS, prepare, run
from tests.unit.engine.worlds import World

from berthmaster.domain.releasestate import ReleaseState
from berthmaster.engine.failpoints import POINTS, Failpoint
from berthmaster.ports.progress import Silence
from berthmaster.services.route_table import compare_tables, derive_table, wanted_table
from berthmaster.services.tick import tick

RUNNING = {ReleaseState.LIVE, ReleaseState.WARM}
KEPT = {*RUNNING, ReleaseState.RETIRED}  # a rollback starts it again at its addresses


# Each has lost or kept an address, or a part of the gateway's table, once.
SHORT = ("retire", "destroy", "remove_tenant", "giving_back", "state_change", "cold_rollback")


@pytest.mark.parametrize(("name", "step"), [place for place in STEPS if place[0] in SHORT])
async def test_no_address_outlives_a_kill(name: str, step: int) -> None:
    await _kill_and_look(name, step, POINTS[step % len(POINTS)])


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "step", "point"), KILLS)
async def test_no_address_outlives_a_kill_anywhere(name: str, step: int, point: str) -> None:
    await _kill_and_look(name, step, point)


async def _kill_and_look(name: str, step: int, point: str) -> None:
    world, plan = await prepare(name)
    store = world.outside.store
    before = {item.number: item.state for item in store.releases(SHOP)}
    numbers = list(before)
    nets = {f"{SHOP.release_project(number)}-net": number for number in numbers}
    store.reserve_subnets([f"{SHOP.project}-state", *nets], taken=())
    await run(world, plan, Failpoint(str(step), point, how="raise"))
    await world.router.replace_table(wanted_table(world.outside, await world.router.table()))
    await tick(world.outside, Silence())
    states = {item.number: item.state for item in store.releases(SHOP)}
    running = {SHOP.release_key(number) for number, state in states.items() if state in RUNNING}
    # What the story before it left there is not this plan's.
    aside = {number for number, state in before.items() if state not in RUNNING} - {plan.new}
    running |= {SHOP.release_key(number) for number in aside}
    kept = {f"{SHOP.project}-state"}
    kept |= {net for net, number in nets.items() if states.get(number) in KEPT or number in aside}
    assert slot_owners(world) <= running
    assert set(store.subnets()) <= kept
    if name != "bring_back":  # its records are of another server: reversed, they say what ran there
        assert compare_tables(derive_table(world.outside), await world.router.table()) == ()


def slot_owners(world: World) -> set[str]:
    rows = world.outside.store._database.rows("SELECT owner FROM slots")  # type: ignore[attr-defined]
    return {row["owner"] for row in rows}
