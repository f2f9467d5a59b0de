"""Filing, reading, assigning, resolving and reopening complaints."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, StringConstraints

from cms.auth import accounts
from cms.auth.guard import User, allow
from cms.complaints import account, store
from cms.complaints.lifecycle import Event, Status
from cms.core.database import Database, Row
from cms.core.roles import GRANTS, Permission, Role

router = APIRouter(prefix="/complaints", tags=["complaints"])

Reader = Annotated[User, allow(Permission.READ)]
Filer = Annotated[User, allow(Permission.FILE)]
Writer = Annotated[User, allow(Permission.NOTE)]
Assigner = Annotated[User, allow(Permission.ASSIGN)]
Resolver = Annotated[User, allow(Permission.RESOLVE)]
Reopener = Annotated[User, allow(Permission.REOPEN)]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
AccountText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40)]


class NewComplaint(BaseModel):
    """What a complaint is about."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=140)]
    body: Text
    category: Literal["billing", "service", "product", "other"] = "other"
    account: AccountText = ""


class Complaint(BaseModel):
    """A complaint in a list."""

    id: int
    title: str
    category: str
    account: str
    status: Status
    filed_at: datetime
    resolved_at: datetime | None
    filed_by_name: str
    assigned_to: int | None
    assigned_to_name: str | None


class Happened(BaseModel):
    """One line of its history."""

    event: Event
    note: str
    happened_at: datetime
    actor: str


class WholeComplaint(Complaint):
    """A complaint with everything that happened."""

    body: str
    history: list[Happened]


class Complaints(BaseModel):
    """A page of them."""

    items: list[Complaint]
    next: int | None  # give it as `before`
    account_label: str = account.LABEL


class Note(BaseModel):
    """A sentence for the history."""

    note: Text


class Assignment(BaseModel):
    """Who shall resolve it."""

    assignee: int
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)] = ""


class AccountChange(BaseModel):
    """The account, corrected."""

    account: AccountText


@router.get("")
def list_complaints(
    user: Reader, database: Database, status: Status | None = None, before: Annotated[int | None, Query(ge=1)] = None
) -> Complaints:
    """Complaints that this person may see, newest first."""
    rows = store.find_many(database, user, status, before)
    return Complaints(
        items=[Complaint(**row) for row in rows], next=rows[-1]["id"] if len(rows) == store.PAGE else None
    )


@router.post("", status_code=201)
def file_complaint(given: NewComplaint, user: Filer, database: Database) -> WholeComplaint:
    """File one."""
    values = {"title": given.title, "body": given.body, "category": given.category}
    return _whole(database, user, store.file(database, user, values, given.account))


@router.get("/assignees")
def list_assignees(user: Assigner, database: Database) -> list[accounts.Person]:
    """Who may be given a complaint."""
    roles = [role for role in Role if role in GRANTS[Permission.RESOLVE]]
    return [accounts.Person(**row) for row in accounts.of_roles(database, roles)]


@router.get("/{number}")
def read_complaint(number: Number, user: Reader, database: Database) -> WholeComplaint:
    """One complaint with its history."""
    return _whole(database, user, number)


@router.post("/{number}/notes", status_code=201)
def write_note(number: Number, given: Note, user: Writer, database: Database) -> WholeComplaint:
    """Add to the history."""
    _visible(database, user, number)
    store.record(database, user, number, Event.NOTED, given.note)
    return _whole(database, user, number)


@router.put("/{number}/account")
def correct_account(number: Number, given: AccountChange, user: Assigner, database: Database) -> WholeComplaint:
    """Correct the account that a complaint is about."""
    _visible(database, user, number)
    store.set_account(database, user, number, given.account)
    return _whole(database, user, number)


@router.post("/{number}/assign")
def assign(number: Number, given: Assignment, user: Assigner, database: Database) -> WholeComplaint:
    """Give it to somebody who resolves."""
    known = {person.id: person for person in list_assignees(user, database)}
    if given.assignee not in known:
        raise HTTPException(422, "This person resolves no complaints.")
    note = given.note or f"To {known[given.assignee].name}."
    return _move(database, user, number, Event.ASSIGNED, note, given.assignee)


@router.post("/{number}/resolve")
def resolve(number: Number, given: Note, user: Resolver, database: Database) -> WholeComplaint:
    """Say how it was resolved: the person who has it, or a manager."""
    if user.role is Role.SUPPORT_PERSON and _visible(database, user, number)["assigned_to"] != user.id:
        raise HTTPException(403, "It is assigned to somebody else.")
    return _move(database, user, number, Event.RESOLVED, given.note)


@router.post("/{number}/reopen")
def reopen(number: Number, given: Note, user: Reopener, database: Database) -> WholeComplaint:
    """Say why the resolution was none."""
    return _move(database, user, number, Event.REOPENED, given.note)


def _move(
    database: Database, user: User, number: int, event: Event, note: str, assignee: int | None = None
) -> WholeComplaint:
    found = _visible(database, user, number)
    if not store.move(database, user, number, event, note, assignee):
        raise HTTPException(409, f"It is {found['status']} and cannot be {event}.")
    return _whole(database, user, number)


def _visible(database: Database, user: User, number: int) -> Row:
    found = store.find_or_none(database, user, number)
    if found is None:
        raise HTTPException(404, "There is no such complaint.")
    return found


def _whole(database: Database, user: User, number: int) -> WholeComplaint:
    row = _visible(database, user, number)
    return WholeComplaint(**row, history=[Happened(**item) for item in store.history(database, number)])
