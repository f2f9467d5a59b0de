"""Putting databases back from a restore point: each into a new one, verified, then swapped in.

The database that was there stays under a dated name until somebody drops it. Plans only.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from berthmaster.domain.plan import DropDatabase, RestoreDatabase, SwapDatabase
from berthmaster.domain.release import Release
from berthmaster.planner.steps import StepList

NAME_BYTES: Final = 63  # PostgreSQL cuts longer names without a word
TRIAL_DATABASE: Final = "berth_trial"  # into which a backup is restored to see that it can be
_KEPT: Final = re.compile(r"_(?:until|restored)_\d{8}_\d{6}\Z")


@dataclass(frozen=True, slots=True)
class Restore:
    """What is put back: the databases of a restore point, in the container they came from."""

    point: str
    container: str
    databases: tuple[str, ...]
    stamp: str  # of the moment, in the names of the databases that are made and kept

    def fresh(self, database: str) -> str:
        """The name that the restored database has until the swap."""
        return self._named(database, "restored")

    def kept(self, database: str) -> str:
        """The name that the old database is kept under."""
        return self._named(database, "until")

    def _named(self, database: str, word: str) -> str:
        end = f"_{word}_{self.stamp}"
        room = NAME_BYTES - len(end)
        if len(database.encode()) <= room:
            return database + end
        mark = hashlib.sha256(database.encode()).hexdigest()[:8]  # two long names may begin alike
        return database.encode()[: room - 8].decode(errors="ignore") + mark + end


def is_kept(database: str) -> bool:
    """Whether an earlier restore or trial left this database: it is nobody's live data."""
    return database == TRIAL_DATABASE or _KEPT.search(database) is not None


def put_back(steps: StepList, release: Release, restore: Restore) -> None:
    """Add the restore and the swap of each database of a restore point."""
    container = restore.container
    for name in restore.databases:
        fresh = restore.fresh(name)
        steps.add(
            RestoreDatabase(release.stack, container, restore.point, name, fresh),
            (f"database {name}", f"restore into {fresh}, verify", f"from {restore.point}"),
            (DropDatabase(container, fresh), f"drop {fresh}"),
        )
        steps.barrier()
    for name in restore.databases:
        fresh, kept = restore.fresh(name), restore.kept(name)
        steps.add(
            SwapDatabase(container, name, fresh, kept),
            (f"database {name}", f"swap, keep the old as {kept}", "the restored one is whole"),
            (SwapDatabase(container, name, kept, fresh), "swap back"),
        )
        steps.barrier()


def drop_kept(steps: StepList, restores: tuple[Restore, ...], cause: str) -> None:
    """Add the end of the databases that were there before; nobody's data is in them."""
    for restore in restores:
        for name in restore.databases:
            kept = restore.kept(name)
            steps.add(
                DropDatabase(restore.container, kept), (f"database {name}", f"drop {kept}", cause)
            )
    steps.barrier()
