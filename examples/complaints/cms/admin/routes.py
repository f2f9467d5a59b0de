"""People of this client."""

from typing import Annotated

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from cms.auth import accounts
from cms.auth.guard import User, allow
from cms.core.database import Database
from cms.core.roles import Permission, Role

router = APIRouter(prefix="/admin", tags=["admin"])
Administrator = Annotated[User, allow(Permission.ADMINISTER)]


class NewPerson(BaseModel):
    """Somebody who starts to work here."""

    email: accounts.Email
    name: accounts.Name
    password: accounts.Password
    role: Role


class Change(BaseModel):
    """Another role, or the account closed or open."""

    role: Role | None = None
    is_active: bool | None = None


@router.post("/onboard", status_code=201)
def onboard(given: NewPerson, user: Administrator, database: Database) -> accounts.Person:
    """Make an account with a role."""
    return accounts.Person(**accounts.make(database, given.email, given.name, given.password, given.role))


@router.get("/users")
def list_users(user: Administrator, database: Database) -> list[accounts.Person]:
    """Everybody."""
    return [accounts.Person(**row) for row in accounts.everybody(database)]


@router.patch("/users/{user_id}")
def change(user_id: int, given: Change, user: Administrator, database: Database) -> accounts.Person:
    """Change somebody else; nobody locks themselves out."""
    if user_id == user.id:
        raise HTTPException(409, "Let another administrator change your account.")
    row = accounts.change(database, user_id, given.role, given.is_active)
    if row is None:
        raise HTTPException(404, "There is no such person.")
    return accounts.Person(**row)
