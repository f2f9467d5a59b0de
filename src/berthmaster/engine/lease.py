"""Holding a lease while work goes on: renewed in the background, given back at the end, fenced."""

import asyncio
import contextlib
import os
import pwd
import socket
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from berthmaster.domain.errors import LeaseLost, OutsideError

if TYPE_CHECKING:
    from berthmaster.domain.deployment import Lease
    from berthmaster.ports.store import Store

LEASE_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 2.0


class HeldLease:
    """The right to change one thing, as long as `fence` is the newest."""

    def __init__(self, store: "Store", lease: "Lease") -> None:
        self._store = store
        self._lease = lease
        self.is_lost = False

    @property
    def fence(self) -> int:
        """The number that every guarded write carries."""
        return self._lease.fence

    def at_step(self, text: str) -> None:
        """Record where the work is, for whoever is refused meanwhile; raises `LeaseLost`."""
        self._lease = self._store.renew_lease(self._lease, seconds=LEASE_SECONDS, step=text)

    def check(self) -> None:
        """Raise `LeaseLost` when somebody else has it: this process may have been frozen for long.

        A read, unless its time is over and nobody took it.
        """
        current = self._store.lease(self._lease.name)
        if current is None or current.fence != self._lease.fence:
            self._lease = self._store.renew_lease(self._lease, seconds=LEASE_SECONDS)

    async def keep(self) -> None:
        """Renew for ever, three times in each life of the lease."""
        pause = LEASE_SECONDS / 3
        while True:
            await asyncio.sleep(pause)
            pause = LEASE_SECONDS / 3
            try:
                self._lease = self._store.renew_lease(self._lease, seconds=LEASE_SECONDS)
            except LeaseLost:
                self.is_lost = True
                return
            except OutsideError:  # the store is locked or full: again, before the lease runs out
                pause = RETRY_SECONDS

    def give_back(self) -> None:
        """End the lease; harmless when it is not ours any more."""
        self._store.release_lease(self._lease)


@contextlib.asynccontextmanager
async def hold(store: "Store", name: str, *, what: str) -> AsyncIterator[HeldLease]:
    """Hold the lease `name` inside the block; raises `LeaseHeld` when somebody else has it."""
    held = HeldLease(store, store.acquire_lease(name, holder=_holder(what), seconds=LEASE_SECONDS))
    renewing = asyncio.create_task(held.keep())
    try:
        yield held
    finally:
        renewing.cancel()
        # A store that cannot be written must not hide what happened; the lease dies with us.
        with contextlib.suppress(OutsideError):
            held.give_back()


ASKED_BY: Final = "BERTHMASTER_ASKED_BY"  # set for a command that was asked for over ssh


def person() -> str:
    """Who works here: `user@host`, the person behind sudo or at the other end of ssh."""
    if asked_by := os.environ.get(ASKED_BY):
        return asked_by
    user = os.environ.get("SUDO_USER") or os.environ.get("USER") or _login()
    return f"{user}@{socket.gethostname()}"


def _login() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _holder(what: str) -> str:
    return f"{person()} (pid {os.getpid()}, `{what}`)"
