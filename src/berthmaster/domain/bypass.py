"""How visitors may reach what was adopted without passing the gateway.

A proxy that its owner has not changed yet, or a port that Docker publishes, leads to release 0
whatever is deployed. As long as one does, release 0 may not be stopped.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bypass:
    """Reasons, each a sentence without its end."""

    seen: tuple[str, ...] = ()  # requests go that way now
    possible: tuple[str, ...] = ()  # nobody knows from here

    @property
    def reasons(self) -> tuple[str, ...]:
        """What is certain first; empty when everybody comes through the gateway."""
        return (*self.seen, *self.possible)
