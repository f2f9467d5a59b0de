"""What destroys data asks for a name: typed at a terminal, or given with `--confirm`."""

import sys

import click

from berthmaster.cli.invocation import Invocation
from berthmaster.domain.errors import UserError


def confirm_name(
    invocation: Invocation, name: str, given: str | None, told: str, command: str
) -> None:
    """Go on only when the name was given; `told` ends the question. Raises `UserError`."""
    if given is None and not invocation.is_json and sys.stdin.isatty():
        question = f"{told}. Type {name} to go on"
        given = click.prompt(question, default="", show_default=False, err=True)
    if given != name:
        raise UserError(
            f"{name} was not removed: its name was not given",
            next_command=f"{command} {name} --confirm {name}",
        )
