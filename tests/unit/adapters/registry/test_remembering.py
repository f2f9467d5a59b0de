"""What a registry said holds for a moment, so that many stacks of one command ask once."""

import pytest

from berthmaster.adapters.registry.remembering import SECONDS, RememberingRegistry
from berthmaster.domain.errors import OutsideError
from berthmaster.testing.registry import FakeRegistry
from berthmaster.testing.world import FakeEngine

TAG = "registry.test/shop:v1"


def _both() -> tuple[FakeRegistry, RememberingRegistry, list[float]]:
    now = [0.0]
    asked = FakeRegistry(FakeEngine())
    return asked, RememberingRegistry(asked, lambda: now[0]), now


async def test_the_same_tag_is_asked_for_once_in_a_moment() -> None:
    asked, registry, now = _both()
    asked.publish(TAG, "sha256:one")
    assert await registry.digest(TAG) == "sha256:one"
    asked.publish(TAG, "sha256:two")
    now[0] += SECONDS - 1
    assert await registry.digest(TAG) == "sha256:one"
    now[0] += 1
    assert await registry.digest(TAG) == "sha256:two"


async def test_a_tag_that_is_not_there_is_looked_for_again_later() -> None:
    asked, registry, now = _both()
    assert await registry.digest(TAG) is None
    asked.publish(TAG, "sha256:one")
    assert await registry.digest(TAG) is None
    now[0] += SECONDS
    assert await registry.digest(TAG) == "sha256:one"


async def test_a_registry_that_is_away_is_not_waited_for_by_each_stack() -> None:
    asked, registry, now = _both()
    asked.publish(TAG, "sha256:one")
    away = OutsideError("away", subject="registry.test", retryable=True)
    calls = []

    async def fail(reference: str) -> str | None:
        calls.append(reference)
        raise away

    asked.digest = fail  # type: ignore[method-assign]
    for _ in range(3):
        with pytest.raises(OutsideError):
            await registry.digest(TAG)
    assert calls == [TAG]
    now[0] += SECONDS
    with pytest.raises(OutsideError):
        await registry.digest(TAG)
    assert calls == [TAG, TAG]
