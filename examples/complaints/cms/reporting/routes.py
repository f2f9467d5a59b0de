"""Figures for managers."""

import csv
import io
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel

from cms.auth.guard import User, allow
from cms.core.database import Database
from cms.core.roles import Permission

router = APIRouter(prefix="/reporting", tags=["reporting"])
Reporter = Annotated[User, allow(Permission.REPORT)]


class Count(BaseModel):
    """How many of one kind."""

    name: str
    count: int
    open: int


class Summary(BaseModel):
    """The state of the complaints."""

    total: int
    open: int
    reopened: int  # that ever were
    hours_to_resolve: float | None  # half of them took less
    oldest_open_at: datetime | None
    by_status: list[Count]
    by_category: list[Count]
    by_assignee: list[Count]


_TOTALS = """
SELECT count(*) AS total, count(*) FILTER (WHERE status <> 'resolved') AS open,
    count(*) FILTER (WHERE reopenings > 0) AS reopened,
    min(filed_at) FILTER (WHERE status <> 'resolved') AS oldest_open_at,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM resolved_at - filed_at) / 3600)
        FILTER (WHERE resolved_at IS NOT NULL) AS hours_to_resolve
FROM complaint_facts"""
_BY_STATUS = """
SELECT status AS name, count(*), count(*) FILTER (WHERE status <> 'resolved') AS open
FROM complaint_facts GROUP BY status ORDER BY status"""
_BY_CATEGORY = """
SELECT category AS name, count(*), count(*) FILTER (WHERE status <> 'resolved') AS open
FROM complaint_facts GROUP BY category ORDER BY count(*) DESC, category"""
_BY_ASSIGNEE = """
SELECT coalesce(assignee, 'nobody') AS name, count(*), count(*) FILTER (WHERE status <> 'resolved') AS open
FROM complaint_facts GROUP BY assignee ORDER BY open DESC, name"""


@router.get("/summary")
def summary(user: Reporter, database: Database) -> Summary:
    """How many, how fast, with whom."""
    totals = database.execute(_TOTALS).fetchone()
    return Summary(
        **(totals or {}),
        by_status=[Count(**row) for row in database.execute(_BY_STATUS)],
        by_category=[Count(**row) for row in database.execute(_BY_CATEGORY)],
        by_assignee=[Count(**row) for row in database.execute(_BY_ASSIGNEE)],
    )


@router.get("/complaints.csv", response_class=Response)
def table(user: Reporter, database: Database) -> Response:
    """One line for each complaint, for a spreadsheet; no text that a customer wrote."""
    names = ["id", "category", "status", "filed_at", "resolved_at", "assignee", "reopenings"]
    file = io.StringIO()
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    for row in database.execute("SELECT * FROM complaint_facts ORDER BY id"):
        writer.writerow({**row, "assignee": _plain(row["assignee"])})
    headers = {"Content-Disposition": "attachment; filename=complaints.csv"}
    return Response(file.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _plain(text: str | None) -> str:
    """Nothing that a spreadsheet would take for a formula."""
    text = text or ""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text
