"""The marked firewall chain of D14: from our address block only the entrypoints answer."""

from collections.abc import Sequence
from typing import Protocol


class Firewall(Protocol):
    async def ensure(self, block: str, ports: Sequence[int]) -> bool:
        """Make the chain as it should be; True when it had to be changed. Raises `OutsideError`."""
        ...

    async def remove(self, block: str) -> None:
        """Take the chain out, when no stack is left to guard."""
        ...

    async def differences(self, block: str, ports: Sequence[int]) -> tuple[str, ...]: ...
