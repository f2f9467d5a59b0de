"""Calls that the engine carries out to their end although nobody waits for the answer any more.

Who cuts one short and undoes it at once is overtaken by it: the undo finds nothing, and then the
network is there. Found by `scripts/bench kill --signal int`.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")
LONGEST_SECONDS: Final = 30.0  # an engine that hangs must not hold Ctrl-C for good


async def uncut(call: Coroutine[Any, Any, T], longest: float = LONGEST_SECONDS) -> T:
    """Await a call; when cancelled, wait for its end first, at most so many seconds.

    Raises what the call raised, or `CancelledError` after its end.
    """
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        end = asyncio.get_running_loop().time() + longest
        while not task.done() and (left := end - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.wait({task}, timeout=left)
            except asyncio.CancelledError:
                continue
        if task.done():
            task.exception()  # nobody asks for it any more, and asyncio need not say so
        else:
            task.cancel()
        raise
