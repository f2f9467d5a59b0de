"""Passes alerts on, a bounded number at once: an outage of hundreds is a few lines, not hundreds.

One that fails ends it: a program that hangs for one line would hang for each.
"""

from collections.abc import Sequence
from typing import Final

from berthmaster.ports.outside import Outside

MOST: Final = 10


async def tell(outside: Outside, lines: Sequence[str]) -> str | None:
    """Returns what went wrong, in words for people; None when everything was passed on."""
    rest = len(lines) - MOST
    for line in (*lines[:MOST], *([f"and {rest} more: berth status"] if rest > 0 else ())):
        problem = await outside.notifier.tell(line)
        if problem is not None:
            return f"nobody was told: {problem}"
    return None
