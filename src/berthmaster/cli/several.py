"""`berth -S all ...`: one command on several servers, one table or object, one exit code."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

import click

from berthmaster.cli.failure import error_object
from berthmaster.cli.invocation import Invocation
from berthmaster.cli.output import print_json, print_table
from berthmaster.domain.errors import BerthmasterError, Bug, OutsideError, UserError

AT_ONCE: Final = 4
# Of different endings the first of these counts: a bad release before what is only unknown.
WORST_FIRST: Final = (Bug.exit_code, 1, OutsideError.exit_code, 4, UserError.exit_code)
ALONE: Final = frozenset({"exec", "run", "logs", "compose", "attach"})  # belong to one screen


@dataclass
class Answer:
    """What one server said."""

    name: str
    code: int = 0
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    error: BerthmasterError | None = None

    def value(self) -> Any:
        """What it printed as JSON; None when that is none."""
        try:
            return json.loads(self.out)
        except ValueError:
            return None


def run_on_several(invocation: Invocation, command: str, names: Sequence[str]) -> int:
    """Run it side by side, a few at a time; the exit code is the worst of all."""
    if command in ALONE:
        raise UserError(f"`berth {command}` is for one server: -S {names[0]}")
    is_table = command == "status" and not invocation.is_json
    if is_table:
        invocation.arguments = ("--json", *invocation.arguments)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda name: _ask(invocation, command, name), names))
    if invocation.is_json:
        print_json({"servers": {one.name: _as_json(one) for one in answers}})
    elif is_table:
        _print_status(answers)
    else:
        _print_each(answers)
    return worst([one.code for one in answers])


def worst(codes: Sequence[int]) -> int:
    """0 only when all are; else the one that matters most."""
    bad = [code for code in codes if code]
    return min(bad, key=_rank) if bad else 0


def _rank(code: int) -> int:
    return WORST_FIRST.index(code) if code in WORST_FIRST else len(WORST_FIRST)


def _ask(invocation: Invocation, command: str, name: str) -> Answer:
    from berthmaster.cli.elsewhere import run_on

    answer = Answer(name)
    try:
        answer.code = run_on(
            invocation,
            command,
            name,
            out=answer.out.extend,
            err=answer.err.extend,
            is_watched=False,
        )
    except BerthmasterError as error:
        answer.code, answer.error = error.exit_code, error
    return answer


def _as_json(answer: Answer) -> dict[str, Any]:
    found, error = answer.value(), answer.error
    if error is not None:
        return {"exit_code": answer.code, "result": None, "error": error_object(error)}
    failed = found.get("error") if isinstance(found, dict) and answer.code else None
    result = None if failed else found
    return {"exit_code": answer.code, "result": result, "error": failed}


def _print_status(answers: Sequence[Answer]) -> None:
    from berthmaster.cli.stack import STATUS_HEAD, status_row
    from berthmaster.domain.names import parse_stack
    from berthmaster.services.read_status import StackLine

    rows, names = [], {item.name for item in fields(StackLine)}  # a newer server says more
    for answer in answers:
        found = answer.value() if answer.error is None else None
        _print_trouble(answer)
        for line in (found or {}).get("stacks", ()):
            since = datetime.fromisoformat(line["since"]) if line["since"] else None
            known = {key: value for key, value in line.items() if key in names}
            typed = {**known, "stack": parse_stack(line["stack"]), "since": since}
            rows.append((answer.name, *status_row(StackLine(**typed))))
        if found is not None and found.get("engine_error"):
            click.echo(f"berth: {answer.name}: {found['engine_error']}", err=True)
    if rows:
        print_table(("SERVER", *STATUS_HEAD), rows, coloured=2)
    elif not any(one.code for one in answers):
        click.echo("no stacks yet")


def _print_each(answers: Sequence[Answer]) -> None:
    for answer in answers:
        click.echo(f"{answer.name}  exit {answer.code}" if answer.code else answer.name)
        for line in answer.out.decode(errors="replace").splitlines():
            click.echo(f"  {line}".rstrip())
        _print_trouble(answer)


def _print_trouble(answer: Answer) -> None:
    if answer.error is not None:
        click.echo(f"berth: {answer.error.message}", err=True)
        if answer.error.next_command:
            click.echo(f"  next: {answer.error.next_command}", err=True)
    for line in answer.err.decode(errors="replace").splitlines():
        click.echo(f"{answer.name}: {line}", err=True)
