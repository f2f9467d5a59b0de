"""Rollouts: what was asked for, and a row for each tenant."""

import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING

from berthmaster.adapters.store.part import Part
from berthmaster.domain.names import parse_stack

if TYPE_CHECKING:
    from berthmaster.domain.rollout import Rollout, RolloutLine, RolloutState


class Rollouts(Part):
    """The part of the store about rollouts."""

    def add_rollout(self, rollout: "Rollout") -> int:
        """Record it; what was begun before in the environment counts as replaced."""
        from berthmaster.domain.rollout import RolloutState as State

        begun = (State.RUNNING, State.PAUSED, State.STOPPED, State.RETURNING)
        with self._database.transaction():
            self._database.write(
                "UPDATE rollouts SET state = ? WHERE app = ? AND environment = ?"
                " AND state IN (?, ?, ?, ?)",
                *(State.REPLACED, rollout.app, rollout.environment, *begun),
            )
            made = self._database.insert(
                "INSERT INTO rollouts (app, environment, tag, state, at_once, budget, started_at,"
                " started_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                *(rollout.app, rollout.environment, rollout.tag, rollout.state, rollout.at_once),
                *(rollout.budget, rollout.started_at.isoformat(), rollout.started_by),
            )
            for line in rollout.lines:
                self.set_rollout_line(made, line)
            return made

    def rollout(self, app: str, environment: str) -> "Rollout | None":
        """The newest one of an environment, with its lines by wave and tenant."""
        row = self._database.row_or_none(
            "SELECT * FROM rollouts WHERE app = ? AND environment = ? ORDER BY id DESC LIMIT 1",
            *(app, environment),
        )
        if row is None:
            return None
        lines = self._database.rows(
            "SELECT * FROM rollout_tenants WHERE rollout = ? ORDER BY wave, stack", row["id"]
        )
        return _rollout(row, tuple(_line(line) for line in lines))

    def set_rollout_state(
        self, rollout_id: int, state: "RolloutState", *, unless: "RolloutState | None" = None
    ) -> bool:
        """A guarded update; says whether a row changed."""
        changed = self._database.write(
            "UPDATE rollouts SET state = ? WHERE id = ? AND (?3 IS NULL OR state <> ?3)",
            *(state, rollout_id, unless),
        )
        return changed == 1

    def set_rollout_line(self, rollout_id: int, line: "RolloutLine") -> None:
        """Add a tenant, or change where it is."""
        self._database.write(
            "INSERT INTO rollout_tenants (rollout, stack, wave, state, old, new, note)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (rollout, stack) DO UPDATE SET"
            " state = excluded.state, old = excluded.old, new = excluded.new,"
            " note = excluded.note",
            *(rollout_id, str(line.stack), line.wave, line.state, line.old, line.new, line.note),
        )


def _rollout(row: sqlite3.Row, lines: "tuple[RolloutLine, ...]") -> "Rollout":
    from berthmaster.domain.rollout import Rollout, RolloutState

    return Rollout(
        id=row["id"],
        app=row["app"],
        environment=row["environment"],
        tag=row["tag"],
        state=RolloutState(row["state"]),
        at_once=row["at_once"],
        budget=row["budget"],
        started_at=datetime.fromisoformat(row["started_at"]),
        started_by=row["started_by"],
        lines=lines,
    )


def _line(row: sqlite3.Row) -> "RolloutLine":
    from berthmaster.domain.rollout import LineState, RolloutLine

    return RolloutLine(
        stack=parse_stack(row["stack"]),
        wave=row["wave"],
        state=LineState(row["state"]),
        old=row["old"],
        new=row["new"],
        note=row["note"],
    )
