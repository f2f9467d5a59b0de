"""What commands that change something do first: recover what was killed, retire what is due."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from berthmaster.cli.invocation import Invocation
from berthmaster.domain.errors import BerthmasterError, Bug, Interrupted

if TYPE_CHECKING:
    from berthmaster.ports.outside import Outside
    from berthmaster.ports.progress import Progress

T = TypeVar("T")


def changing(invocation: Invocation, work: "Callable[[Outside], Awaitable[T]]") -> T:
    """Housekeeping, then the work; the live view gives the terminal back whatever happens."""

    async def all_of_it(outside: "Outside") -> T:
        await _tidy(outside, invocation.progress)
        return await work(outside)

    with contextlib.closing(invocation.progress):
        return invocation.run(all_of_it)


async def _tidy(outside: "Outside", progress: "Progress") -> None:
    """A housekeeping that fails is told, and does not stop what was asked for."""
    from berthmaster.services.tick import tick

    try:
        for line in await tick(outside, progress):
            progress.note(line)
    except (Interrupted, Bug):
        raise
    except BerthmasterError as error:
        progress.note(f"housekeeping is not done: {error.message}")


def changing_without_recovery(
    invocation: Invocation, work: "Callable[[Outside], Awaitable[T]]"
) -> T:
    """The work alone: a person decides about an unfinished deployment, not housekeeping."""
    with contextlib.closing(invocation.progress):
        return invocation.run(work)
