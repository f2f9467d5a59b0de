"""Reading a checklist file: YAML with a title and items, each with one way to ask it."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from berthmaster.adapters.berthfile import problems, values
from berthmaster.adapters.berthfile.convert import smoke_spec
from berthmaster.adapters.berthfile.document import Document, Path_, read_document
from berthmaster.adapters.berthfile.model import Section, Smoke
from berthmaster.domain import checklist

Text = Annotated[str, Field(min_length=1, max_length=1000)]
Row = Annotated[tuple[str, ...], BeforeValidator(lambda row: [_cell(cell) for cell in row])]


class Query(Section):
    """SQL that is run read-only with the database's own psql."""

    service: values.ServiceName = Field(description="State service.")
    sql: Annotated[str, Field(min_length=1, max_length=4000)] = Field(description="One SELECT.")
    database: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,63}$")] | None = Field(
        None, description="Default: the one that the image made."
    )
    rows: tuple[Row, ...] | None = Field(None, description="Exactly these rows.")
    count: Annotated[int, Field(ge=0, strict=True)] | None = Field(None, description="So many.")
    matches: Text | None = Field(None, description="A pattern for every row, `a|b`.")


class Setting(Section):
    """A variable of a service; its value is never shown."""

    service: values.ServiceName = Field(description="Service of the live release.")
    name: values.VariableName = Field(description="Variable.")
    matches: Text | None = Field(None, description="A pattern for its value.")
    length: Annotated[int, Field(ge=1, strict=True)] = Field(1, description="At least.")


class Item(Section):
    """One thing that must be true."""

    id: values.ServiceName = Field(description="Name, of letters, digits, `.`, `_` and `-`.")
    text: Text = Field(description="What must be true.")
    http: Smoke | None = Field(None, description="A request the public way.")
    command: Smoke | None = Field(None, description="A command in a container of a service.")
    query: Query | None = Field(None, description="SQL.")
    setting: Setting | None = Field(None, description="A variable.")
    running: tuple[values.ServiceName, ...] = Field((), description="Services that must run.")
    manual: Text | None = Field(None, description="What a person does; it is skipped.")
    outside: Text | None = Field(
        None, description="What of it only the outside world shows; it is never said to hold."
    )


class ChecklistFile(Section):
    """A checklist."""

    checklist: Text = Field(description="Its title.")
    items: tuple[Item, ...] = Field(min_length=1, max_length=500, description="In order.")


def read_checklist(path: Path, name: str) -> checklist.Checklist:
    """Read and check a file; raises `InvalidSpec` with file and line."""
    document = read_document(path, name)
    if not isinstance(document.data, dict):
        raise document.error("it must be a mapping with `checklist` and `items`")
    try:
        found = ChecklistFile.model_validate(document.data)
    except ValidationError as error:
        raise problems.from_pydantic(error, ChecklistFile, document) from error
    items = tuple(_item(item, document, ("items", at)) for at, item in enumerate(found.items))
    seen: set[str] = set()
    for at, item in enumerate(items):
        if item.id in seen:
            raise document.error(f"`{item.id}` is an item already", ("items", at, "id"))
        seen.add(item.id)
    return checklist.Checklist(found.checklist, items)


def _item(item: Item, document: Document, at: Path_) -> checklist.Item:
    ways = [
        name
        for name in ("http", "command", "query", "setting", "running")
        if getattr(item, name) not in (None, ())
    ]
    if len(ways) > 1:
        raise document.error(f"one way to ask it, not {' and '.join(ways)}", at)
    if not ways and item.manual is None and item.outside is None:
        raise document.error("write how to ask it, or `manual`, or `outside`", at)
    return checklist.Item(item.id, item.text, _how(item, document, at), item.outside, item.manual)


def _how(item: Item, document: Document, at: Path_) -> checklist.How | None:
    if item.http is not None:
        spec = smoke_spec(item.http, document, (*at, "http"))
        if spec.command:
            raise document.error("`http` wants a `path`", (*at, "http"))
        return checklist.Asked(spec)
    if item.command is not None:
        spec = smoke_spec(item.command, document, (*at, "command"))
        if not spec.command:
            raise document.error("write `command` and `service`", (*at, "command"))
        return checklist.Asked(spec)
    if item.query is not None:
        return _query(item.query, document, (*at, "query"))
    if item.setting is not None:
        one = item.setting
        _check_pattern(one.matches, document, (*at, "setting", "matches"))
        return checklist.Setting(one.service, one.name, one.matches, one.length)
    return checklist.Running(item.running) if item.running else None


def _query(item: Query, document: Document, at: Path_) -> checklist.Query:
    if item.rows is None and item.count is None and item.matches is None:
        raise document.error("write what is wanted: `rows`, `count` or `matches`", at)
    _check_pattern(item.matches, document, (*at, "matches"))
    return checklist.Query(
        item.service, item.sql, item.database, item.rows, item.count, item.matches
    )


def _check_pattern(text: str | None, document: Document, at: Path_) -> None:
    try:
        re.compile(text or "")
    except re.error as error:
        raise document.error(f"{text!r} is no pattern: {error}", at) from error


def _cell(value: Any) -> str:
    """As PostgreSQL prints it in JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
