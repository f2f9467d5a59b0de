"""What runs Berthmaster when nobody types: a timer, and something at boot."""

from typing import Protocol


class Units(Protocol):
    async def install(self) -> tuple[str, ...]:
        """Write and switch on what differs; returns its names. Nothing on a machine without it.

        Raises `OutsideError`.
        """
        ...

    async def remove(self) -> tuple[str, ...]:
        """Switch off and remove what is there; returns its names. Raises `OutsideError`."""
        ...
