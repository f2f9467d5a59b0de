"""A call to the engine is not cut in the middle."""

import asyncio

import pytest

from berthmaster.adapters.uncut import uncut


class Engine:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.is_asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.is_made = False

    async def make(self, error: Exception | None = None) -> str:
        self.is_asked.set()
        await self.may_answer.wait()
        self.is_made = True
        if error is not None:
            raise error
        return "made"


async def test_an_answer_comes_through_and_an_error_too() -> None:
    engine = Engine()
    engine.may_answer.set()
    assert await uncut(engine.make()) == "made"
    with pytest.raises(KeyError):
        await uncut(engine.make(KeyError("gone")))


@pytest.mark.parametrize("error", [None, KeyError("gone")])
async def test_who_is_cancelled_waits_for_the_end_however_often(error: Exception | None) -> None:
    engine = Engine()
    task = asyncio.ensure_future(uncut(engine.make(error)))
    await engine.is_asked.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.wait({task}, timeout=0.01)
        assert not task.done()
    engine.may_answer.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.is_made


async def test_an_engine_that_hangs_is_left_after_a_while() -> None:
    engine = Engine()
    task = asyncio.ensure_future(uncut(engine.make(), longest=0.02))
    await engine.is_asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not engine.is_made
