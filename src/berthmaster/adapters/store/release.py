"""Releases: a summary row that lists are made of, and the whole record apart from it."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from berthmaster.adapters.store.lease import check_fence
from berthmaster.adapters.store.part import Part, instant_or_none
from berthmaster.domain import codec
from berthmaster.domain.errors import Bug, NotFound
from berthmaster.domain.names import StackId, parse_stack
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.domain.routing import Doorway, Naming
from berthmaster.domain.tenancy import Proof
from berthmaster.ports.store import ReleaseSummary

if TYPE_CHECKING:
    from berthmaster.domain.release import Release
    from berthmaster.domain.spec import Overlay, RetentionSpec

_RECORD = """
    SELECT document, state FROM release_documents
    JOIN releases USING (stack, number) WHERE stack = ? AND number = ?
"""


class Releases(Part):
    """The part of the store about releases."""

    def next_release_number(self, stack: StackId) -> int:
        """Give the next number, never one that was given before."""
        with self._database.transaction():
            self._count_up_to(stack, self._last_number(stack) + 1)
            return self._last_number(stack)

    def give_number_back(self, stack: StackId, number: int) -> None:
        """Let the newest number be given again; one that a release has or had stays taken."""
        with self._database.transaction():
            if self.release(stack, number) is None:
                self._database.write(
                    "UPDATE release_numbers SET last = last - 1 WHERE stack = ? AND last = ?",
                    *(str(stack), number),
                )

    def add_release(self, release: "Release") -> None:
        """Record a release; the same one twice is once.

        Raises `NotFound` when its stack is not in the inventory and `Bug` when the number has
        another one.
        """
        dated = replace(release, created_at=release.created_at or self._clock.now())
        document = _write(dated)
        with self._database.transaction():
            if self._has(dated, document):
                return
            try:
                self._insert(dated, document)
            except sqlite3.IntegrityError as error:
                raise self._refusal(dated, error) from error
            self._count_up_to(dated.stack, dated.number)

    def release(self, stack: StackId, number: int) -> "Release | None":
        """The whole record; a tenant's with the hosts of now, which belong to its stack."""
        row = self._database.row_or_none(_RECORD, str(stack), number)
        if row is None:
            return None
        found = _read(row)
        hosts = self._hosts_now(stack) if stack.tenant else ()
        return replace(found, hosts=hosts) if hosts else found

    def releases(self, stack: StackId) -> tuple[ReleaseSummary, ...]:
        """A stack's releases, newest first."""
        rows = self._database.rows(
            "SELECT * FROM releases WHERE stack = ? ORDER BY number DESC", str(stack)
        )
        return tuple(_summary(row) for row in rows)

    def retention(self, stack: StackId) -> "RetentionSpec | None":
        """What the newest release says about it; SQLite reads it out of the record."""
        row = self._database.row_or_none(
            "SELECT json_extract(document, '$.retention') AS retention FROM release_documents"
            " WHERE stack = ? ORDER BY number DESC LIMIT 1",
            str(stack),
        )
        from berthmaster.domain.spec import RetentionSpec

        return codec.decode(RetentionSpec, json.loads(row["retention"])) if row else None

    def doorway(self, stack: StackId) -> Doorway | None:
        """Where the live release takes its visitors in; SQLite reads it out of the record."""
        row = self._database.row_or_none(
            "SELECT json_extract(document, '$.entrypoint') AS entrypoint,"
            " json_extract(document, '$.naming') AS naming FROM release_documents"
            " JOIN releases USING (stack, number) WHERE stack = ? AND state = ?"
            " AND json_array_length(document, '$.routes') > 0",
            *(str(stack), ReleaseState.LIVE),
        )
        return Doorway(row["entrypoint"], Naming(row["naming"] or "")) if row else None

    def overlay(self, stack: StackId) -> "Overlay":
        """What the live release lays over `berth.yaml`; SQLite reads it out of the record."""
        row = self._database.row_or_none(
            "SELECT json_extract(document, '$.overlay') AS overlay FROM release_documents"
            " JOIN releases USING (stack, number) WHERE stack = ? AND state = ?",
            *(str(stack), ReleaseState.LIVE),
        )
        from berthmaster.domain.spec import Overlay

        if row is None or row["overlay"] is None:
            return Overlay()
        found: Overlay = codec.decode(Overlay, json.loads(row["overlay"]))
        return found

    def releases_in(self, *states: ReleaseState) -> tuple[ReleaseSummary, ...]:
        """The releases of all stacks that are in one of these states; all when none is named."""
        wanted = states or tuple(ReleaseState)
        marks = ", ".join("?" for _ in wanted)
        rows = self._database.rows(
            f"SELECT * FROM releases WHERE state IN ({marks}) ORDER BY stack, number DESC",  # noqa: S608
            *wanted,
        )
        return tuple(_summary(row) for row in rows)

    def live_releases(self) -> tuple[ReleaseSummary, ...]:
        """One for each stack that serves."""
        return self.releases_in(ReleaseState.LIVE)

    def asked_apps(self) -> "tuple[Release, ...]":
        """Live releases with a path for it; SQLite reads that out of the records."""
        rows = self._database.rows(
            "SELECT stack, number FROM releases JOIN release_documents USING (stack, number)"
            " WHERE state = ? AND json_extract(document, '$.validate_path') IS NOT NULL",
            ReleaseState.LIVE,
        )
        found = (self.release(parse_stack(row["stack"]), row["number"]) for row in rows)
        return tuple(item for item in found if item is not None)

    def release_records(self) -> "Iterator[Release]":
        """Every record, read one at a time: all of them together may not fit."""
        for row in self._database.rows("SELECT stack, number FROM releases ORDER BY stack, number"):
            record = self._database.row_or_none(_RECORD, row["stack"], row["number"])
            if record:
                yield _read(record)

    def mark_live(
        self,
        stack: StackId,
        number: int,
        *,
        old: int | None,
        warm_until: datetime | None,
        fence: int,
    ) -> None:
        """Make this release the live one and `old` a warm one, in one transaction."""
        with self._database.transaction():
            check_fence(self._database, self._clock, stack, fence)
            if old is not None:
                self._set_state(stack, old, ReleaseState.WARM, warm_until)
            try:
                self._set_state(stack, number, ReleaseState.LIVE, None)
            except sqlite3.IntegrityError as error:
                raise _second_live(stack, number) from error

    def set_release_state(self, stack: StackId, number: int, state: ReleaseState) -> None:
        """Change where a release is in its life; use `mark_live` for the live one."""
        try:
            self._set_state(stack, number, state, None)
        except sqlite3.IntegrityError as error:
            raise _second_live(stack, number) from error

    def remove_release(self, stack: StackId, number: int) -> None:
        """Remove a release's record and what it holds of the router's pool.

        Refuses the live one, and one that a state service was started by.
        """
        with self._database.transaction():
            if number in self.applied_states(stack).values():
                raise Bug(f"{stack}: a state service runs by the record of r{number}")
            row = self._database.row_or_none(
                "SELECT state FROM releases WHERE stack = ? AND number = ?", str(stack), number
            )
            if row and row["state"] == ReleaseState.LIVE:
                raise Bug(f"{stack}: r{number} is live and cannot be removed")
            self._database.write(
                "DELETE FROM releases WHERE stack = ? AND number = ?", str(stack), number
            )
            self._database.write("DELETE FROM slots WHERE owner = ?", stack.release_key(number))

    def keep_state_only(self, release: "Release") -> None:
        """Replace a record by the part of it that state services run by."""
        stack, number = str(release.stack), release.number
        with self._database.transaction():
            changed = self._database.write(
                "UPDATE releases SET state = ?, warm_until = NULL"
                " WHERE stack = ? AND number = ? AND state <> ?",
                *(ReleaseState.STATE, stack, number, ReleaseState.LIVE),
            )
            if not changed:
                raise Bug(f"{stack}: r{number} is live or gone; its record stays whole")
            self._database.write(
                "UPDATE release_documents SET document = ? WHERE stack = ? AND number = ?",
                *(_write(release), stack, number),
            )
            self._database.write("DELETE FROM slots WHERE owner = ?", release.key)

    def rewrite_release(self, release: "Release") -> None:
        """Replace the document of a record; its row, and so its state, stays."""
        changed = self._database.write(
            "UPDATE release_documents SET document = ? WHERE stack = ? AND number = ?",
            *(_write(release), str(release.stack), release.number),
        )
        if not changed:
            raise NotFound(f"{release.stack} has no release {release.label}")

    def applied_states(self, stack: StackId) -> Mapping[str, int]:
        """By service: the release whose state model was applied last."""
        rows = self._database.rows(
            "SELECT service, release FROM applied_states WHERE stack = ? ORDER BY service",
            str(stack),
        )
        return {row["service"]: row["release"] for row in rows}

    def record_states(
        self, stack: StackId, release: int, services: Sequence[str], *, fence: int
    ) -> None:
        """Note that these services were started by this record, in one transaction."""
        with self._database.transaction():
            check_fence(self._database, self._clock, stack, fence)
            for service in services:
                self._database.write(
                    "INSERT INTO applied_states (stack, service, release) VALUES (?, ?, ?)"
                    " ON CONFLICT (stack, service) DO UPDATE SET release = excluded.release",
                    *(str(stack), service, release),
                )
            self._database.write(
                "UPDATE releases SET state = ? WHERE stack = ? AND number = ? AND state = ?",
                *(ReleaseState.STATE, str(stack), release, ReleaseState.PREPARED),
            )

    def _set_state(
        self, stack: StackId, number: int, state: ReleaseState, warm_until: datetime | None
    ) -> None:
        changed = self._database.write(
            "UPDATE releases SET state = ?, warm_until = ? WHERE stack = ? AND number = ?",
            *(state, warm_until.isoformat() if warm_until else None, str(stack), number),
        )
        if not changed:
            raise NotFound(f"{stack} has no release r{number}; see: berth releases {stack}")

    def _insert(self, release: "Release", document: str) -> None:
        self._database.write(
            "INSERT INTO releases (stack, number, state, artifact, fingerprint, tag, revision,"
            " created_at, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(str(release.stack), release.number, release.state, release.artifact),
            *(release.fingerprint, release.tag, release.revision),
            *(release.created_at.isoformat() if release.created_at else "", release.created_by),
        )
        self._database.write(
            "INSERT INTO release_documents (stack, number, document) VALUES (?, ?, ?)",
            *(str(release.stack), release.number, document),
        )

    def _hosts_now(self, stack: StackId) -> tuple[str, ...]:
        rows = self._database.rows(
            "SELECT host FROM domains WHERE stack = ? AND proof <> ?"
            " ORDER BY is_primary DESC, host",
            *(str(stack), Proof.PENDING),
        )
        return tuple(row["host"] for row in rows)

    def _has(self, release: "Release", document: str) -> bool:
        row = self._database.row_or_none(_RECORD, str(release.stack), release.number)
        if row is None:
            return False
        known = _read(row)
        return (
            _write(replace(known, state=release.state, created_at=release.created_at)) == document
        )

    def _refusal(self, release: "Release", error: sqlite3.IntegrityError) -> Exception:
        if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            return NotFound(f"{release.stack} is not in the inventory; add it before its release")
        return Bug(f"{release.stack}: r{release.number} is recorded already, with other contents")

    def _last_number(self, stack: StackId) -> int:
        row = self._database.row_or_none(
            "SELECT last FROM release_numbers WHERE stack = ?", str(stack)
        )
        return int(row["last"]) if row else 0

    def _count_up_to(self, stack: StackId, number: int) -> None:
        self._database.write(
            "INSERT INTO release_numbers (stack, last) VALUES (?, ?)"
            " ON CONFLICT (stack) DO UPDATE SET last = max(last, excluded.last)",
            *(str(stack), number),
        )


def _second_live(stack: StackId, number: int) -> Bug:
    return Bug(f"{stack}: r{number} cannot be live beside another live release")


def _write(release: "Release") -> str:
    return json.dumps(codec.encode(release), separators=(",", ":"))


def _read(row: sqlite3.Row) -> "Release":
    from berthmaster.domain.release import Release

    release: Release = codec.decode(Release, json.loads(row["document"]))
    return replace(release, state=ReleaseState(row["state"]))


def _summary(row: sqlite3.Row) -> ReleaseSummary:
    return ReleaseSummary(
        stack=parse_stack(row["stack"]),
        number=row["number"],
        state=ReleaseState(row["state"]),
        artifact=row["artifact"],
        tag=row["tag"],
        revision=row["revision"],
        created_at=datetime.fromisoformat(row["created_at"]),
        created_by=row["created_by"],
        warm_until=instant_or_none(row["warm_until"]),
        fingerprint=row["fingerprint"],
    )
