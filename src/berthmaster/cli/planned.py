"""How a plan is printed."""

import re
import shutil
import sys
import textwrap

import click

from berthmaster.cli.invocation import Invocation
from berthmaster.cli.output import paint, print_json
from berthmaster.domain import codec
from berthmaster.domain.plan import Plan

_INDENT = " " * 7  # below the name of the step


def print_plan(invocation: Invocation, found: Plan) -> None:
    """For a person or as JSON."""
    if invocation.is_json:
        print_json(codec.encode(found))
        return
    from berthmaster.planner.text import render_plan

    text = render_plan(found)
    if sys.stdout.isatty():
        text = fold(text, shutil.get_terminal_size().columns)
    click.echo("\n".join(_painted(line) for line in text.splitlines()))


def fold(text: str, columns: int) -> str:
    """The same plan for a narrow terminal: cause and undo of every step below it, in words."""
    lines = text.splitlines()
    if all(len(line) <= columns for line in lines):
        return text
    return "\n".join(part for line in lines for part in _folded(line, columns))


def _folded(line: str, columns: int) -> list[str]:
    parts = re.split(r" {2,}", line.strip())
    if line.startswith("  #") and len(parts) == 5:
        *_, cause, undo = parts
        head = line[: line.index(cause, line.index(parts[2]) + len(parts[2]))].rstrip()
        told = cause if undo == "undo: -" else f"{cause}  {undo}"
        return [*_wrapped(head, columns, _INDENT), *_wrapped(_INDENT + told, columns, _INDENT)]
    return _wrapped(line, columns, "    ")


def _wrapped(line: str, columns: int, indent: str) -> list[str]:
    if len(line) <= columns:
        return [line]
    begin = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(
        line.strip(),
        columns,
        initial_indent=begin,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _painted(line: str) -> str:
    """Titles stand out, causes stay readable, the point of no return is seen."""
    if line.startswith("  ----"):
        return paint(line, "yellow")
    if line and not line.startswith(" "):
        return paint(line, None, bold=True)
    head, mark, undo = line.rpartition("  undo: ")
    return head + paint(mark + undo, "bright_black") if mark else line
