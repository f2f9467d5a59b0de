"""Deployments and their journal.

Every change is guarded by the state it leaves and by the lease's fence.
"""

import json
import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING

from berthmaster.adapters.store.lease import check_fence, lease_lost
from berthmaster.adapters.store.part import Part, instant_or_none
from berthmaster.domain import codec
from berthmaster.domain.deployment import (
    TERMINAL,
    Deployment,
    DeploymentState,
    JournalRow,
    StepState,
    check_transition,
)
from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.names import StackId, parse_stack

if TYPE_CHECKING:
    from berthmaster.domain.plan import Plan


class Deployments(Part):
    """The part of the store about deployments."""

    def open_deployment(
        self,
        stack: StackId,
        *,
        verb: str,
        plan: "Plan",
        release: int | None,
        actor: str,
        fence: int,
    ) -> Deployment:
        """Record a new attempt.

        Raises `NotAllowed` while another one of the stack is unfinished.
        """
        now = self._clock.now()
        document = json.dumps(codec.encode(plan), separators=(",", ":"))
        with self._database.transaction():
            check_fence(self._database, self._clock, stack, fence)
            try:
                number = self._database.insert(
                    "INSERT INTO deployments (stack, release, verb, state, started_at, actor, plan)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    *(str(stack), release, verb, DeploymentState.PLANNED),
                    *(now.isoformat(), actor, document),
                )
            except sqlite3.IntegrityError as error:
                raise self._unfinished_refusal(stack) from error
        return Deployment(
            number, stack, release, verb, plan, DeploymentState.PLANNED, now, actor=actor
        )

    def change_state(
        self,
        deployment_id: int,
        old: DeploymentState,
        new: DeploymentState,
        *,
        fence: int,
        error: str = "",
    ) -> None:
        """Move a deployment on.

        Raises `LeaseLost` when somebody else has moved it or holds the lease.
        """
        check_transition(old, new)
        with self._database.transaction():
            changed = self._database.write(
                "UPDATE deployments"
                " SET state = ?, error = coalesce(nullif(?, ''), error), ended_at = ?"
                " WHERE id = ? AND state = ? AND EXISTS (SELECT 1 FROM leases"
                " WHERE name = deployments.stack AND fence = ? AND holder IS NOT NULL)",
                *(new, error, self._now() if new in TERMINAL else None),
                *(deployment_id, old, fence),
            )
            if not changed:
                self._refuse(deployment_id, fence)

    def deployment(self, deployment_id: int) -> Deployment | None:
        """One attempt with its plan."""
        row = self._database.row_or_none("SELECT * FROM deployments WHERE id = ?", deployment_id)
        return _read(row) if row else None

    def deployments(self, stack: StackId | None, limit: int = 20) -> tuple[Deployment, ...]:
        """The newest attempts first, of one stack or of all."""
        rows = self._database.rows(
            "SELECT * FROM deployments WHERE ?1 IS NULL OR stack = ?1 ORDER BY id DESC LIMIT ?2",
            *(str(stack) if stack else None, limit),
        )
        return tuple(_read(row) for row in rows)

    def unfinished(self) -> tuple[Deployment, ...]:
        """Every attempt that has not ended, oldest first; `stuck` ones too."""
        rows = self._database.rows(
            "SELECT * FROM deployments"
            " WHERE state NOT IN ('succeeded', 'unwound', 'failed') ORDER BY id"
        )
        return tuple(_read(row) for row in rows)

    def journal(self, deployment_id: int) -> tuple[JournalRow, ...]:
        """What was written for a deployment, in order."""
        rows = self._database.rows(
            "SELECT * FROM journal_entries WHERE deployment_id = ? ORDER BY id", deployment_id
        )
        return tuple(_read_entry(row) for row in rows)

    def write_journal(
        self, deployment_id: int, step: int, state: StepState, *, fence: int, detail: str = ""
    ) -> None:
        """Add a row, on disk when this returns; raises `LeaseLost` with a stale fence."""
        with self._database.transaction():
            added = self._database.write(
                "INSERT INTO journal_entries (deployment_id, step, state, at, detail)"
                " SELECT id, ?, ?, ?, ? FROM deployments"
                " WHERE id = ? AND EXISTS (SELECT 1 FROM leases"
                " WHERE name = deployments.stack AND fence = ? AND holder IS NOT NULL)",
                *(step, state, self._now(), detail, deployment_id, fence),
            )
            if not added:
                self._refuse(deployment_id, fence)

    def _refuse(self, deployment_id: int, fence: int) -> None:
        found = self.deployment(deployment_id)
        if found is None:
            raise NotFound(f"there is no deployment d{deployment_id}")
        check_fence(self._database, self._clock, found.stack, fence)
        raise lease_lost(
            self._database, self._clock, str(found.stack), f"{found.label} is {found.state} by now"
        )

    def _unfinished_refusal(self, stack: StackId) -> NotAllowed:
        found = next(one for one in self.unfinished() if one.stack == stack)
        return NotAllowed(
            f"{stack}: {found.label} ({found.verb}) has not ended, it is {found.state}",
            next_command=f"berth continue {found.label}, or: berth unwind {found.label}",
        )


def _read(row: sqlite3.Row) -> Deployment:
    from berthmaster.domain.plan import Plan

    return Deployment(
        id=row["id"],
        stack=parse_stack(row["stack"]),
        release=row["release"],
        verb=row["verb"],
        plan=codec.decode(Plan, json.loads(row["plan"])),
        state=DeploymentState(row["state"]),
        started_at=datetime.fromisoformat(row["started_at"]),
        ended_at=instant_or_none(row["ended_at"]),
        actor=row["actor"],
        error=row["error"],
    )


def _read_entry(row: sqlite3.Row) -> JournalRow:
    return JournalRow(
        deployment_id=row["deployment_id"],
        step=row["step"],
        state=StepState(row["state"]),
        at=datetime.fromisoformat(row["at"]),
        detail=row["detail"],
    )
