"""A deploy goes on behind the 503 page, and the page stays when it was there before."""

from tests.builders import SHOP, release
from tests.unit.engine.worlds import empty_world

from berthmaster.planner.maintenance import plan_maintenance
from berthmaster.services.observe import observe_stack


async def test_a_stack_in_maintenance_can_be_deployed_and_stays_in_it() -> None:
    world = empty_world()
    await world.deploy(release(1))
    observed = await observe_stack(world.outside, SHOP)
    await world.carry_out(plan_maintenance(observed, is_on=True))
    await world.deploy(release(2))
    view = await world.view()
    assert view.live == 2
    assert view.is_in_maintenance
    assert SHOP.project in view.table.maintenance
