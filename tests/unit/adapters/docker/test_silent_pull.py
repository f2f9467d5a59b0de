"""A pull may be slow for as long as it likes, but not silent."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from berthmaster.adapters.docker.pulling import not_silent
from berthmaster.domain.errors import OutsideError


async def rows(*, ends: bool) -> AsyncIterator[Mapping[str, Any]]:
    yield {"status": "Downloading"}
    if not ends:
        await asyncio.Event().wait()


async def test_a_registry_that_sends_nothing_more_is_given_up() -> None:
    stream = not_silent(rows(ends=False), "shop:v1", 0.01)
    assert await anext(stream) == {"status": "Downloading"}
    with pytest.raises(OutsideError, match="nothing has come") as raised:
        await anext(stream)
    assert raised.value.retryable


async def test_a_stream_that_ends_is_passed_on_whole() -> None:
    assert [row async for row in not_silent(rows(ends=True), "shop:v1", 10)] == [
        {"status": "Downloading"}
    ]
