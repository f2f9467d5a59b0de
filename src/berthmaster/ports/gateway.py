"""Bringing the gateway's processes up and down; the table is the router's business."""

from collections.abc import Sequence
from typing import Protocol

from berthmaster.domain.routing import Entrypoint


class GatewayProcesses(Protocol):
    """Router and edge as containers in host networking, restarted by the engine."""

    async def up(self, entrypoints: Sequence[Entrypoint]) -> bool:
        """Write the static configuration, validate it, start what does not run; True when changed.

        Running processes with the same configuration are left alone. Raises `GatewayRefused` and
        leaves the last good configuration in place when the new one does not validate.
        """
        ...

    async def down(self) -> None: ...
