"""Whoever is told of an alert: a program of the server's own, if it has one."""

from typing import Protocol


class Notifier(Protocol):
    """Passes one line on to a person."""

    async def tell(self, text: str) -> str | None:
        """Returns what went wrong, in words; None when it was passed on, or when nobody listens."""
        ...


class Nobody:
    """No program is set: alerts are seen where they are listed."""

    async def tell(self, text: str) -> str | None:
        return None
