"""How a plan is printed."""

import click

from berthmaster.cli.invocation import Invocation
from berthmaster.cli.output import paint, print_json
from berthmaster.domain import codec
from berthmaster.domain.plan import Plan


def print_plan(invocation: Invocation, found: Plan) -> None:
    """For a person or as JSON."""
    if invocation.is_json:
        print_json(codec.encode(found))
        return
    from berthmaster.planner.text import render_plan

    click.echo("\n".join(_painted(line) for line in render_plan(found).splitlines()))


def _painted(line: str) -> str:
    """Titles stand out, causes stay readable, the point of no return is seen."""
    if line.startswith("  ----"):
        return paint(line, "yellow")
    if line and not line.startswith(" "):
        return paint(line, None, bold=True)
    head, mark, undo = line.rpartition("  undo: ")
    return head + paint(mark + undo, "bright_black") if mark else line
