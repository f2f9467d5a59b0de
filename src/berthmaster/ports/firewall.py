"""The marked firewall chain of D14: from our address block only the entrypoints answer.

And, while a port changes hands, a redirect of its new connections.
"""

from collections.abc import Sequence
from typing import Protocol

from berthmaster.domain.takeover import Redirected


class Firewall(Protocol):
    async def ensure(self, block: str, ports: Sequence[int]) -> bool:
        """Make the chain as it should be; True when it had to be changed. Raises `OutsideError`."""
        ...

    async def remove(self, block: str) -> None:
        """Take the chain out, when no stack is left to guard."""
        ...

    async def differences(self, block: str, ports: Sequence[int]) -> tuple[str, ...]: ...

    async def redirect(self, block: str, ports: Sequence[Redirected]) -> None:
        """Lead new connections to these ports elsewhere on this host, and no others; none: all go
        where they go. Connections that are open stay where they are. Raises `OutsideError`.
        """
        ...

    async def redirected(self, block: str) -> tuple[Redirected, ...]:
        """What is led elsewhere now."""
        ...

    async def refused(self, ports: Sequence[int]) -> tuple[int, ...]:
        """Ports that no rule of the host lets in from outside, as far as its rules can be read."""
        ...
