"""Sessions in the database: begun, rotated, ended."""

import hmac
import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from psycopg import Connection
from psycopg.rows import DictRow

from cms.auth import tokens
from cms.core.database import Row

# Two tabs may refresh at the same moment; the second one still has the old word.
GRACE: Final = timedelta(seconds=10)

_LIVE: Final = """
SELECT sessions.*, users.email, users.name, users.role FROM sessions JOIN users ON users.id = sessions.user_id
WHERE sessions.id = %s AND revoked_at IS NULL AND expires_at > now() AND users.is_active"""


def begin(database: Connection[DictRow], user_id: int, days: int) -> tuple[str, str]:
    """A new session: its id and its word."""
    word = tokens.make_word()
    database.execute("DELETE FROM sessions WHERE user_id = %s AND expires_at < now()", [user_id])
    row = database.execute(
        "INSERT INTO sessions (user_id, refresh_digest, expires_at) VALUES (%s, %s, %s) RETURNING id",
        [user_id, tokens.digest_of(word), datetime.now(UTC) + timedelta(days=days)],
    ).fetchone()
    assert row is not None  # noqa: S101  an INSERT that returns nothing has raised
    return str(row["id"]), word


def find_or_none(database: Connection[DictRow], session_id: str) -> Row | None:
    """The session with its user, when both are good."""
    return database.execute(_LIVE, [session_id]).fetchone()


def rotate_or_none(database: Connection[DictRow], cookie: str) -> tuple[Row, str] | None:
    """Exchange the word of a refresh cookie; a used word ends the session."""
    text, _, word = cookie.partition(".")
    session_id = _uuid_or_none(text)
    row = database.execute(f"{_LIVE} FOR UPDATE OF sessions", [session_id]).fetchone() if session_id else None
    if row is None:
        return None
    digest = tokens.digest_of(word)
    if hmac.compare_digest(digest, row["refresh_digest"]):
        fresh = tokens.make_word()
        database.execute(
            "UPDATE sessions SET previous_digest = refresh_digest, refresh_digest = %s, rotated_at = now()"
            " WHERE id = %s",
            [tokens.digest_of(fresh), session_id],
        )
        return row, fresh
    if digest == row["previous_digest"] and datetime.now(UTC) - row["rotated_at"] < GRACE:
        return row, ""
    end(database, str(session_id))
    return None


def end(database: Connection[DictRow], session_id: str) -> None:
    """From now on neither of its tokens is good."""
    database.execute("UPDATE sessions SET revoked_at = now() WHERE id = %s AND revoked_at IS NULL", [session_id])


def end_every(database: Connection[DictRow], user_id: int) -> None:
    """Sign somebody out everywhere."""
    database.execute("UPDATE sessions SET revoked_at = now() WHERE user_id = %s AND revoked_at IS NULL", [user_id])


def _uuid_or_none(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
