"""Bringing the gateway's processes up and down; the table is the router's business."""

from collections.abc import Sequence
from typing import Protocol

from berthmaster.domain.routing import Entrypoint
from berthmaster.domain.takeover import Takeover


class GatewayProcesses(Protocol):
    """Router and edge as containers in host networking, restarted by the engine."""

    async def plan(self, entrypoints: Sequence[Entrypoint]) -> tuple[str, ...]:
        """What `up` would do now, a line for each of the two that changes, with the gap expected.

        Changes nothing, but pulls an image that is not here.
        """
        ...

    async def up(self, entrypoints: Sequence[Entrypoint]) -> tuple[str, ...]:
        """Write the static configuration, validate it, start what does not run.

        Returns a line for each of the two that was changed, with the gap that was measured.

        Running processes with the same configuration are left alone. Raises `GatewayRefused` and
        leaves the last good configuration in place when the new one does not validate.
        """
        ...

    async def down(self) -> None: ...

    def takeover(self) -> Takeover | None:
        """What was taken from somebody's own proxy; `plan` and `up` add it to the entrypoints."""
        ...

    async def take(self, takeover: Takeover | None, entrypoints: Sequence[Entrypoint]) -> None:
        """Record what is taken and bring the gateway to it; what the gateway refuses is forgotten.

        None gives all of it up and has clients that keep a connection open connect anew.
        """
        ...
