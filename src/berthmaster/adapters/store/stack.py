"""Stacks: the inventory of what this server runs."""

import re
import sqlite3

from berthmaster.adapters.store.part import Part
from berthmaster.adapters.store.tenancy import bury
from berthmaster.domain.errors import NotAllowed
from berthmaster.domain.names import StackId, parse_stack
from berthmaster.ports.store import StackRecord

_SELECT = """
    SELECT stacks.*, releases.number AS live
    FROM stacks LEFT JOIN releases ON releases.stack = stacks.id AND releases.state = 'live'
"""


class Stacks(Part):
    """The part of the store about stacks."""

    def stacks(self) -> tuple[StackRecord, ...]:
        """Every stack, by address."""
        rows = self._database.rows(f"{_SELECT} ORDER BY stacks.id")
        return tuple(_read(row) for row in rows)

    def stack(self, stack: StackId) -> StackRecord | None:
        """One stack, or None when it is not in the inventory."""
        row = self._database.row_or_none(f"{_SELECT} WHERE stacks.id = ?", str(stack))
        return _read(row) if row else None

    def add_stack(self, stack: StackId, folder: str) -> None:
        """Take a stack into the inventory, or note its new folder.

        Raises `NotAllowed` when its project name is another stack's, or reads like another's
        release.
        """
        with self._database.transaction():
            self._check_project(stack)
            self._database.write(
                "INSERT INTO stacks (id, project, folder) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET folder = excluded.folder",
                *(str(stack), stack.project, folder),
            )

    def set_maintenance(self, stack: StackId, is_on: bool) -> None:
        """Record whether the stack answers with the maintenance page."""
        self._database.write(
            "UPDATE stacks SET is_in_maintenance = ? WHERE id = ?", int(is_on), str(stack)
        )

    def set_hold(self, stack: StackId, because: str | None) -> None:
        """Hold the stack against automation, or lift the hold."""
        self._database.write("UPDATE stacks SET held_because = ? WHERE id = ?", because, str(stack))

    def forget_stack(self, stack: StackId) -> None:
        """Remove the stack with its releases, slots, subnets and ended deployments.

        A tombstone stays in the events. The unfinished deployment stays: it is the one that asks
        for this.
        """
        name = str(stack)
        with self._database.transaction():
            if not self._database.write("DELETE FROM stacks WHERE id = ?", name):
                return
            bury(self._database, stack, self._now())
            self._database.write("DELETE FROM slots WHERE owner GLOB ?", f"{stack.project}/r[0-9]*")
            self._forget_subnets(stack)
            self._database.write(
                "DELETE FROM deployments WHERE stack = ?"
                " AND state IN ('succeeded', 'unwound', 'failed')",
                name,
            )
            self._database.write(
                "INSERT INTO events (at, actor, stack, what) VALUES"
                " (?, coalesce((SELECT actor FROM deployments WHERE stack = ?), ''), ?, ?)",
                *(self._now(), name, name, "stack_forgotten"),
            )

    def _forget_subnets(self, stack: StackId) -> None:
        """Those of its own networks: `shop-prod-r2d2-r1-net` is a tenant's, and no pattern of
        SQLite can tell.
        """
        own = re.compile(rf"{re.escape(stack.project)}-(state|r[0-9]+-net)")
        for row in self._database.rows("SELECT owner FROM subnets"):
            if own.fullmatch(row["owner"]):
                self._database.write("DELETE FROM subnets WHERE owner = ?", row["owner"])

    def _check_project(self, stack: StackId) -> None:
        for row in self._database.rows("SELECT id, project FROM stacks WHERE id <> ?", str(stack)):
            other = row["project"]
            if stack.project == other:
                raise NotAllowed(f"{stack}: its project name {other} is taken by {row['id']}")
            if _is_release_of(stack.project, other) or _is_release_of(other, stack.project):
                raise NotAllowed(
                    f"{stack}: its project name {stack.project} and {other} of {row['id']}"
                    " would be mixed up, because -r and a number marks a release"
                )


def _is_release_of(project: str, stack_project: str) -> bool:
    return re.fullmatch(rf"{re.escape(stack_project)}-r\d+", project) is not None


def _read(row: sqlite3.Row) -> StackRecord:
    return StackRecord(
        id=parse_stack(row["id"]),
        folder=row["folder"],
        live=row["live"],
        is_in_maintenance=bool(row["is_in_maintenance"]),
        held_because=row["held_because"],
    )
