"""Adds up the progress of an image's layers into one figure that only grows."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from berthmaster.domain.errors import OutsideError
from berthmaster.ports.runtime import PullProgress

_DONE: Final = frozenset({"Download complete", "Pull complete", "Already exists"})


# The engine reports several times a second while something comes; a slow registry is fine, one that
# sends nothing is not.
SILENCE_SECONDS: Final = 120.0


async def not_silent(
    rows: AsyncIterator[Mapping[str, Any]], reference: str, seconds: float = SILENCE_SECONDS
) -> AsyncIterator[Mapping[str, Any]]:
    """The rows of a pull's stream; raises `OutsideError` when none comes for so long."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                row = await anext(rows)
        except StopAsyncIteration:
            return
        except TimeoutError as exc:
            raise OutsideError(
                f"{reference}: nothing has come from its registry for {seconds:.0f} s",
                subject=reference,
                retryable=True,
            ) from exc
        yield row


class Progress:
    """Takes the rows of a pull's stream and reports bytes done and bytes known so far."""

    def __init__(self, image: str, report: PullProgress | None) -> None:
        self._image = image
        self._report = report
        self._layers: dict[str, tuple[int, int]] = {}

    def take(self, row: Mapping[str, Any]) -> None:
        """Note one row; only downloads count, unpacking has no size of its own on every engine."""
        layer, status = str(row.get("id") or ""), row.get("status")
        detail = row.get("progressDetail") or {}
        if status == "Downloading" and detail.get("total"):
            self._layers[layer] = (int(detail.get("current") or 0), int(detail["total"]))
        elif status in _DONE and layer in self._layers:
            self._layers[layer] = (self._layers[layer][1], self._layers[layer][1])
        else:
            return
        if self._report:
            done, total = (sum(column) for column in zip(*self._layers.values(), strict=True))
            self._report(self._image, done, total)
