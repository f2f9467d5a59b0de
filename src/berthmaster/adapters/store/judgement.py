"""Judgements: rows are added, never changed or removed; triggers in the schema hold that."""

import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING

from berthmaster.adapters.store.part import Part
from berthmaster.domain.names import parse_stack

if TYPE_CHECKING:
    from berthmaster.domain.judgement import Judgement


class Judgements(Part):
    """The part of the store about what was said of artifacts and stacks."""

    def judge(self, judgement: "Judgement") -> None:
        """Add a row, in the open transaction when there is one."""
        self._database.write(
            "INSERT INTO judgements (at, actor, kind, app, stack, artifact, release, deployment,"
            " why) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(judgement.at.isoformat(), judgement.actor, judgement.kind, judgement.app),
            *(str(judgement.stack) if judgement.stack else None, judgement.artifact),
            *(judgement.release, judgement.deployment, judgement.why),
        )

    def judgements(self, app: str, *, artifact: str | None = None) -> "tuple[Judgement, ...]":
        """The newest first, of an app; with `artifact` only those about it."""
        rows = self._database.rows(
            "SELECT * FROM judgements WHERE app = ?1 AND (?2 IS NULL OR artifact = ?2)"
            " ORDER BY id DESC",
            *(app, artifact),
        )
        return tuple(_read(row) for row in rows)


def _read(row: sqlite3.Row) -> "Judgement":
    from berthmaster.domain.judgement import Judgement, JudgementKind

    return Judgement(
        at=datetime.fromisoformat(row["at"]),
        actor=row["actor"],
        kind=JudgementKind(row["kind"]),
        app=row["app"],
        stack=parse_stack(row["stack"]) if row["stack"] else None,
        artifact=row["artifact"],
        release=row["release"],
        deployment=row["deployment"],
        why=row["why"],
    )
