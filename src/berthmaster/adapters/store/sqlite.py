"""`SqliteStore`: the parts put together over one connection."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from berthmaster.adapters.store.address import Addresses
from berthmaster.adapters.store.database import Database
from berthmaster.adapters.store.deployment import Deployments
from berthmaster.adapters.store.errors import folder_of
from berthmaster.adapters.store.event import Events
from berthmaster.adapters.store.judgement import Judgements
from berthmaster.adapters.store.lease import Leases
from berthmaster.adapters.store.release import Releases
from berthmaster.adapters.store.rollout import Rollouts
from berthmaster.adapters.store.stack import Stacks
from berthmaster.adapters.store.tenancy import Tenancy
from berthmaster.ports.clock import Clock

SUBNET_PREFIX: Final = 27  # 32 addresses: the lower half fixed ones, the upper half Docker's
POOL_SLOTS: Final = 1000  # as measured in the design: 51 MB of router


class SqliteStore(
    Stacks, Releases, Deployments, Leases, Addresses, Events, Judgements, Tenancy, Rollouts
):
    """The server's memory in a file, or in memory with the path `:memory:`.

    Raises `StoreUnavailable` when the file cannot be used or a newer program wrote it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        block: str,
        clock: Clock,
        subnet_prefix: int = SUBNET_PREFIX,
        pool_slots: int = POOL_SLOTS,
    ) -> None:
        super().__init__(
            Database(path),
            clock,
            block=block,
            subnet_prefix=subnet_prefix,
            pool_slots=pool_slots,
        )

    def transaction(self) -> AbstractContextManager[None]:
        """Join several changes: all of them or none."""
        return self._database.transaction()

    def snapshot(self, path: Path) -> None:
        """Copy the store while it is in use, mode 0600."""
        self._database.snapshot(path)

    def keep_snapshot(self) -> Path | None:
        """Add a copy to those beside the store, forget the oldest; None for one in memory."""
        from berthmaster.adapters.store import snapshots

        if self._database.path == ":memory:":
            return None
        store = Path(self._database.path)
        with self._database.copied(folder_of(store)) as part:
            target = snapshots.keep(part, store, self._clock.now())
        snapshots.forget_old(store)
        return target

    def check(self) -> tuple[str, ...]:
        """Look for damaged pages and broken references; empty when there are none."""
        found = [str(row[0]) for row in self._database.rows("PRAGMA quick_check")]
        broken = self._database.rows("PRAGMA foreign_key_check")
        problems = [text for text in found if text != "ok"]
        return (*problems, *(f"{row[0]} refers to a missing row of {row[2]}" for row in broken))

    def close(self) -> None:
        """Close the file."""
        self._database.close()
