"""Calls that the engine carries out to their end although nobody waits for the answer any more.

Who cuts one short and undoes it at once is overtaken by it: the undo finds nothing, and then the
network is there, or the container that Compose had asked for. Found by `scripts/bench kill --signal
int`, and by cutting `docker compose up` of seven services at 50 moments, of which seven left some.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

T = TypeVar("T")
LONGEST_SECONDS: Final = 30.0  # an engine that hangs must not hold Ctrl-C for good


async def uncut(call: Coroutine[Any, Any, T], longest: float = LONGEST_SECONDS) -> T:
    """Await a call; when cancelled, wait for its end first, at most so many seconds.

    Raises what the call raised, or `CancelledError` after its end. After the time it is cancelled,
    too, and gets half as much to tidy up.
    """
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _see_end(task, longest)
        if not task.done():
            task.cancel()
            await _see_end(task, longest / 2)
        if task.done() and not task.cancelled():
            task.exception()  # nobody asks for it any more, and asyncio need not say so
        raise


async def _see_end(task: "asyncio.Future[Any]", longest: float) -> None:
    """However often the one who waits is cancelled."""
    loop = asyncio.get_running_loop()
    end = loop.time() + longest
    while not task.done() and (left := end - loop.time()) > 0:
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task}, timeout=left)
