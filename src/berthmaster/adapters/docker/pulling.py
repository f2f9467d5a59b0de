"""Adds up the progress of an image's layers into one figure that only grows."""

from collections.abc import Mapping
from typing import Any, Final

from berthmaster.ports.runtime import PullProgress

_DONE: Final = frozenset({"Download complete", "Pull complete", "Already exists"})


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
