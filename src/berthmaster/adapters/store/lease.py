"""Leases: the exclusive, expiring, fenced right to change one thing.

A lease ends for others when it is given back, when its holder is certainly dead, or when it was not
renewed in time. Time here is CLOCK_MONOTONIC, which every process of a boot shares: setting the
wall clock, even by an hour, neither takes a lease from a living holder nor keeps one for ever. A
holder that lives but was stopped for longer than its lease does lose it; what it writes afterwards
carries an old fence and is refused.
"""

import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypedDict

from berthmaster.adapters.store.database import Database
from berthmaster.adapters.store.part import Part
from berthmaster.adapters.store.process import Process, current_process, is_dead
from berthmaster.domain.deployment import Lease
from berthmaster.domain.errors import LeaseHeld, LeaseLost
from berthmaster.domain.names import StackId
from berthmaster.ports.clock import Clock

# A holder checks its lease, then acts: what it began just before the end gets this long to arrive.
TAKEOVER_MARGIN_SECONDS: Final = 5.0


class Leases(Part):
    """The part of the store about leases."""

    def acquire_lease(self, name: str, *, holder: str, seconds: float) -> Lease:
        """Take the lease with a new fence; `holder` says who, in which process, doing what.

        Raises `LeaseHeld` unless it is free, ran out, or its holder is a dead process of this
        machine.
        """
        with self._database.transaction():
            row = _row(self._database, name)
            if row and self._is_held(row):
                raise LeaseHeld(_describe(row, self._clock), **_facts(row, self._clock))
            lease = self._granted(name, holder, seconds, fence=(row["fence"] if row else 0) + 1)
            self._write(lease, seconds)
        return lease

    def renew_lease(self, lease: Lease, *, seconds: float, step: str | None = None) -> Lease:
        """Prolong the lease and say what is being done; without `step` the last one stays."""
        expires_at = self._clock.now() + timedelta(seconds=seconds)
        with self._database.transaction():
            changed = self._database.write(
                "UPDATE leases SET expires_at = ?, expires_monotonic = ?, step = coalesce(?, step)"
                " WHERE name = ? AND fence = ? AND holder IS NOT NULL",
                *(expires_at.isoformat(), self._clock.monotonic() + seconds, step),
                *(lease.name, lease.fence),
            )
            if not changed:
                raise lease_lost(self._database, self._clock, lease.name)
        return replace(lease, expires_at=expires_at, step=step or lease.step)

    def release_lease(self, lease: Lease) -> None:
        """Give the lease back; does nothing when it went to somebody else."""
        self._database.write(
            "UPDATE leases SET holder = NULL, step = NULL WHERE name = ? AND fence = ?",
            *(lease.name, lease.fence),
        )

    def lease(self, name: str) -> Lease | None:
        """Who holds it now; None when it could be taken."""
        row = _row(self._database, name)
        if row is None or not self._is_held(row):
            return None
        return Lease(
            name=name,
            holder=row["holder"],
            fence=row["fence"],
            acquired_at=datetime.fromisoformat(row["acquired_at"]),
            expires_at=datetime.fromisoformat(row["expires_at"]),
            step=row["step"],
        )

    def _is_held(self, row: sqlite3.Row) -> bool:
        if row["holder"] is None or is_dead(_process(row)):
            return False
        margin = TAKEOVER_MARGIN_SECONDS
        return bool(self._clock.monotonic() < row["expires_monotonic"] + margin)

    def _granted(self, name: str, holder: str, seconds: float, *, fence: int) -> Lease:
        now = self._clock.now()
        return Lease(name, holder, fence, now, now + timedelta(seconds=seconds))

    def _write(self, lease: Lease, seconds: float) -> None:
        process, now = current_process(), self._clock.monotonic()
        self._database.write(
            "INSERT OR REPLACE INTO leases (name, fence, holder, acquired_at, expires_at,"
            " acquired_monotonic, expires_monotonic, pid, pid_started, pid_namespace, boot_id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(lease.name, lease.fence, lease.holder),
            *(lease.acquired_at.isoformat(), lease.expires_at.isoformat(), now, now + seconds),
            *(process.pid, process.started, process.namespace, process.boot_id),
        )


def check_fence(database: Database, clock: Clock, stack: StackId, fence: int) -> None:
    """Raise `LeaseLost` unless the stack's lease has this fence.

    Call it inside the change's transaction.
    """
    row = _row(database, str(stack))
    if row is None or row["holder"] is None or row["fence"] != fence:
        raise lease_lost(database, clock, str(stack))


def lease_lost(database: Database, clock: Clock, name: str, why: str = "") -> LeaseLost:
    """Make the error that says who has the lease now."""
    row = _row(database, name)
    lost = f"{name}: the lease is no longer ours" + (f" ({why})" if why else "")
    if row is None or row["holder"] is None:
        return LeaseLost(f"{lost}; nobody holds it now", holder="", age_seconds=0.0, step=None)
    return LeaseLost(f"{lost}; {_describe(row, clock)}", **_facts(row, clock))


def _row(database: Database, name: str) -> sqlite3.Row | None:
    return database.row_or_none("SELECT * FROM leases WHERE name = ?", name)


def _process(row: sqlite3.Row) -> Process:
    return Process(row["pid"], row["pid_started"], row["pid_namespace"], row["boot_id"])


def _describe(row: sqlite3.Row, clock: Clock) -> str:
    step = f", at step {row['step']}" if row["step"] else ""
    age = _facts(row, clock)["age_seconds"]
    return f"{row['name']} is being changed by {row['holder']} since {age:.0f} s{step}"


class _Facts(TypedDict):
    holder: str
    age_seconds: float
    step: str | None


def _facts(row: sqlite3.Row, clock: Clock) -> _Facts:
    age = max(0.0, clock.monotonic() - row["acquired_monotonic"])
    return _Facts(holder=row["holder"], age_seconds=age, step=row["step"])
