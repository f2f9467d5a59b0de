"""People as rows: made, changed, listed. The policy for passwords holds wherever one is set."""

from typing import Annotated

from fastapi import HTTPException
from psycopg import Connection
from psycopg.rows import DictRow
from pydantic import BaseModel, StringConstraints

from cms.auth import passwords, sessions
from cms.core.database import Row
from cms.core.roles import Role
from cms.core.settings import EMAIL

Email = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=255, pattern=f"^{EMAIL.pattern}$")
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Password = Annotated[str, StringConstraints(max_length=1000)]


class Person(BaseModel):
    """Somebody, as colleagues see them."""

    id: int
    email: str
    name: str
    role: Role
    is_active: bool = True


def check_password(password: str, *names: str) -> None:
    """Refuse what the policy refuses, all of it in one sentence."""
    if problems := passwords.problems_of(password, *names):
        raise HTTPException(422, f"The password must {', and '.join(problems)}.")


def make(database: Connection[DictRow], email: str, name: str, password: str, role: Role) -> Row:
    """Make an account; 409 when the address has one."""
    check_password(password, email.partition("@")[0], name)
    row = database.execute(
        "INSERT INTO users (email, name, password_hash, role) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING *",
        [email, name, passwords.hash_password(password), role],
    ).fetchone()
    if row is None:
        raise HTTPException(409, "This address has an account.")
    return row


def find_or_none(database: Connection[DictRow], email: str) -> Row | None:
    """The account of an address."""
    return database.execute("SELECT * FROM users WHERE email = %s", [email]).fetchone()


def everybody(database: Connection[DictRow]) -> list[Row]:
    """All accounts by name."""
    return database.execute("SELECT * FROM users ORDER BY lower(name), id").fetchall()


def of_roles(database: Connection[DictRow], roles: list[Role]) -> list[Row]:
    """Open accounts of some roles."""
    query = "SELECT * FROM users WHERE role = ANY(%s) AND is_active ORDER BY lower(name), id"
    return database.execute(query, [[str(role) for role in roles]]).fetchall()


def change(database: Connection[DictRow], user_id: int, role: Role | None, is_active: bool | None) -> Row | None:
    """Another role, closed or open again; ends the person's sessions, so that it holds at once."""
    row = database.execute(
        "UPDATE users SET role = coalesce(%s, role), is_active = coalesce(%s, is_active) WHERE id = %s RETURNING *",
        [role, is_active, user_id],
    ).fetchone()
    sessions.end_every(database, user_id)
    return row


def make_first(database: Connection[DictRow], email: str, password: str) -> bool:
    """The first administrator, in an instance that has nobody."""
    row = database.execute(
        "INSERT INTO users (email, name, password_hash, role)"
        " SELECT %s, 'Administrator', %s, %s WHERE NOT EXISTS (SELECT FROM users) RETURNING id",
        [email, passwords.hash_password(password), Role.SYSTEM_ADMINISTRATOR],
    ).fetchone()
    return row is not None


def set_password(database: Connection[DictRow], user_id: int, password: str) -> None:
    """Another password; every session ends."""
    hashed = passwords.hash_password(password)
    database.execute("UPDATE users SET password_hash = %s WHERE id = %s", [hashed, user_id])
    sessions.end_every(database, user_id)
