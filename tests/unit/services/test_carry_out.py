"""What is said when a change was made and what follows it failed."""

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import empty_world

from berthmaster.domain.errors import OutsideError
from berthmaster.services import carry_out


async def test_a_release_that_serves_is_not_told_as_a_failed_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_: object) -> bool:
        raise OutsideError("asked.json cannot be written: no space left", subject="disk")

    monkeypatch.setattr(carry_out, "tell_apps", full)
    world = empty_world()
    with pytest.raises(OutsideError, match="no space left") as failed:
        await world.deploy(release(1))
    assert failed.value.message.startswith("shop@prod: d1 (deploy) is done and release r1 serves")
    assert failed.value.next_command == "berth gateway up"
    record = world.outside.store.stack(SHOP)
    assert record is not None
    assert record.live == 1
