"""A bug in an adapter is no reason to leave a half-made change until the next command."""

from typing import Any

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import empty_world

from berthmaster.domain.deployment import DeploymentState
from berthmaster.domain.errors import Bug
from berthmaster.domain.plan import Watch
from berthmaster.engine.effects import Effects


async def test_an_error_that_nobody_foresaw_is_reversed_and_told_as_a_bug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = empty_world()
    await world.deploy(release(1))
    before = await world.view()
    perform = Effects.perform

    async def broken(self: Effects, action: Any, work: Any) -> str:
        if isinstance(action, Watch):
            raise KeyError("a password")
        return await perform(self, action, work)

    monkeypatch.setattr(Effects, "perform", broken)
    with pytest.raises(Bug, match="watch 20 s ended with KeyError") as told:
        await world.deploy(release(2))
    assert isinstance(told.value.__cause__, KeyError)
    assert "a password" not in told.value.message
    assert "release r1 still serves" in told.value.message
    (deployment, *_) = world.outside.store.deployments(SHOP)
    assert deployment.state is DeploymentState.UNWOUND
    assert await world.view() == before
