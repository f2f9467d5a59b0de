"""Files that a command line names: on the machine of whoever types, or on the one that runs it.

With `-S` those two are not the same. What is read goes along; what is written stays there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from berthmaster.cli.invocation import Invocation
from berthmaster.domain.elsewhere import HERE
from berthmaster.domain.errors import UserError

STREAM: Final = "-"  # standard input or output instead of a file
SENT: Final = ".berth-sent"  # folder of a bundle that holds what a command line named


class FileHere(click.Path):
    """A file of whoever types; on another server it is what was sent along."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, allow_dash=True, path_type=Path)


class FileThere(click.Path):
    """A file of the machine that runs the command: only there it can be looked for."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(exists=exists, dir_okay=False, allow_dash=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Look for it, or want a whole path when it is for another server."""
        invocation = ctx.find_object(Invocation) if ctx else None
        if invocation is None or invocation.served or invocation.server in (None, HERE):
            return super().convert(value, param, ctx)
        if value != STREAM and not Path(value).is_absolute():
            raise UserError(
                f"{value} would be a file on {invocation.server}: write its whole path there"
            )
        return Path(value)


def files_here(context: click.Context) -> Iterator[Path]:
    """The files that the command line names and that are to go along."""
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        is_named = isinstance(parameter.type, FileHere) and str(value) != STREAM
        if is_named and isinstance(value, Path):
            yield value


def with_names(words: tuple[str, ...], names: dict[str, str]) -> tuple[str, ...]:
    """The command line with these files under other names."""
    return tuple(_renamed(word, names) for word in words)


def _renamed(word: str, names: dict[str, str]) -> str:
    if found := names.get(str(Path(word))):
        return found
    option, sign, value = word.partition("=")
    value = str(Path(value))
    return (
        f"{option}={names[value]}" if sign and option.startswith("--") and value in names else word
    )
