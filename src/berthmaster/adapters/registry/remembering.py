"""Asks a registry about a tag once for many stacks: a hundred tenants of one app run one image.

A command that changes many stacks asks for the same tags again and again; an answer, and that there
was none, holds for a moment. It must be a short one: a tag may be pushed again.
"""

import time
from collections.abc import Callable
from typing import Final

from berthmaster.domain.errors import OutsideError
from berthmaster.ports.registry import Registry, RemoteImage

SECONDS: Final = 30.0


class RememberingRegistry:
    """`ports.registry.Registry` in front of another one."""

    def __init__(self, asked: Registry, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._asked = asked
        self._monotonic = monotonic
        self._digests: dict[str, tuple[float, str | OutsideError | None]] = {}

    async def digest(self, reference: str) -> str | None:
        at, known = self._digests.get(reference, (-SECONDS, None))
        if self._monotonic() - at >= SECONDS:
            at, known = self._monotonic(), await self._answer(reference)
            self._digests[reference] = (at, known)
        if isinstance(known, OutsideError):
            raise known
        return known

    async def describe(self, reference: str, architecture: str) -> RemoteImage | None:
        return await self._asked.describe(reference, architecture)

    async def _answer(self, reference: str) -> str | OutsideError | None:
        try:
            return await self._asked.digest(reference)
        except OutsideError as error:
            return error
