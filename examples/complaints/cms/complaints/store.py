"""Complaints as rows. A change is a guarded update and a row of history in the same transaction."""

from typing import Final, cast

from psycopg import Connection, sql
from psycopg.rows import DictRow

from cms.auth.guard import User
from cms.complaints import account
from cms.complaints.lifecycle import Event, Status, sources, target
from cms.core.database import Row
from cms.core.roles import Permission

PAGE: Final = 50
_SELECT: Final = f"""
SELECT complaints.id, title, body, category, {account.SHOWN}, status, filed_at, resolved_at, filed_by, assigned_to,
    filer.name AS filed_by_name, assignee.name AS assigned_to_name
FROM complaints JOIN users AS filer ON filer.id = filed_by LEFT JOIN users AS assignee ON assignee.id = assigned_to
WHERE (%(everybodys)s OR filed_by = %(user)s)"""  # noqa: S608  both parts are constants


def find_many(database: Connection[DictRow], user: User, status: Status | None, before: int | None) -> list[Row]:
    """What this person may see, newest first."""
    query = f"""{_SELECT} AND (%(status)s::text IS NULL OR status = %(status)s)
        AND (%(before)s::bigint IS NULL OR complaints.id < %(before)s) ORDER BY complaints.id DESC LIMIT %(page)s"""
    values = {**_scope(user), "status": status, "before": before, "page": PAGE}
    return database.execute(query.encode(), values).fetchall()


def find_or_none(database: Connection[DictRow], user: User, complaint_id: int) -> Row | None:
    """One that this person may see; to a stranger it does not exist."""
    query = f"{_SELECT} AND complaints.id = %(id)s"
    return database.execute(query.encode(), {**_scope(user), "id": complaint_id}).fetchone()


def history(database: Connection[DictRow], complaint_id: int) -> list[Row]:
    """What happened, oldest first."""
    query = """SELECT event, note, happened_at, users.name AS actor FROM complaint_events
        JOIN users ON users.id = actor_id WHERE complaint_id = %s ORDER BY complaint_events.id"""
    return database.execute(query, [complaint_id]).fetchall()


def file(database: Connection[DictRow], user: User, values: Row, account_text: str) -> int:
    """A new complaint; gives its number."""
    row = {**values, **account.columns(account_text), "filed_by": user.id}
    query = sql.SQL("INSERT INTO complaints ({}) VALUES ({}) RETURNING id").format(
        sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
    )
    made = cast(DictRow, database.execute(query, row).fetchone())
    record(database, user, made["id"], Event.FILED)
    return int(made["id"])


def set_account(database: Connection[DictRow], user: User, complaint_id: int, account_text: str) -> None:
    """Correct the account."""
    row = account.columns(account_text)
    pairs = [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in row]
    query = sql.SQL("UPDATE complaints SET {} WHERE id = %(id)s").format(sql.SQL(", ").join(pairs))
    database.execute(query, {**row, "id": complaint_id})
    record(database, user, complaint_id, Event.NOTED, f"Account: {account_text or 'none'}")


def move(
    database: Connection[DictRow], user: User, complaint_id: int, event: Event, note: str, assignee: int | None = None
) -> bool:
    """Let it happen; False when the complaint is in a state in which it cannot."""
    moved = database.execute(
        """UPDATE complaints SET status = %(new)s, assigned_to = coalesce(%(assignee)s, assigned_to),
            resolved_at = CASE WHEN %(new)s = 'resolved' THEN now() END
        WHERE id = %(id)s AND status = ANY(%(old)s)""",
        {"new": target(event), "assignee": assignee, "id": complaint_id, "old": [str(one) for one in sources(event)]},
    )
    if moved.rowcount == 0:
        return False
    record(database, user, complaint_id, event, note)
    return True


def record(database: Connection[DictRow], user: User, complaint_id: int, event: Event, note: str = "") -> None:
    """One line of history."""
    query = "INSERT INTO complaint_events (complaint_id, actor_id, event, note) VALUES (%s, %s, %s, %s)"
    database.execute(query, [complaint_id, user.id, event, note])


def _scope(user: User) -> Row:
    return {"everybodys": user.can(Permission.READ_EVERYBODYS), "user": user.id}
