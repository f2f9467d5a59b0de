"""`berth diff`: what differs between two environments or two releases; no value is ever shown."""

from typing import TYPE_CHECKING

import click

from berthmaster.cli.invocation import BerthCommand, Invocation, complete_stacks
from berthmaster.cli.output import paint, print_json, print_table
from berthmaster.cli.release import release_number
from berthmaster.domain.errors import UserError
from berthmaster.domain.names import StackId

if TYPE_CHECKING:
    from berthmaster.planner.mirror import Difference
    from berthmaster.planner.releasediff import Line
    from berthmaster.services.compare import Comparison

TO_CHANGE = 2  # something differs that nobody listed as meant

MEBIBYTE = 2**20  # bytes


@click.command(cls=BerthCommand)
@click.argument("words", metavar="ENV ENV|[STACK] rA rB", nargs=-1, shell_complete=complete_stacks)
@click.pass_context
def diff(context: click.Context, words: tuple[str, ...]) -> None:
    """Compare two environments, or two releases of a stack.

    Of environments: services, config keys, policy and resources, as the files say. A difference
    that is not listed as `intended` ends with 2. Of releases: what changed. Values of settings and
    secrets are compared and never shown.
    """
    invocation = context.find_object(Invocation) or Invocation()
    if len(words) in (2, 3) and all(_is_release(word) for word in words[-2:]):
        stack = invocation.known_stack(words[0] if len(words) == 3 else None)
        _releases(invocation, stack, release_number(words[-2]), release_number(words[-1]))
    elif len(words) == 2:
        context.exit(_environments(invocation, words[0], words[1]))
    else:
        raise UserError("name two of a kind: berth diff stage prod, or berth diff prod r6 r7")


def _is_release(word: str) -> bool:
    return word[:1] == "r" and word[1:].isdecimal()


def _environments(invocation: Invocation, left: str, right: str) -> int:
    from berthmaster.services.compare import compare_environments

    ours, theirs = invocation.declared_stack(left), invocation.declared_stack(right)
    folder = invocation.folder_of(ours)
    found = invocation.run(lambda outside: compare_environments(outside, folder, ours, theirs))
    if invocation.is_json:
        print_json(_comparison_json(found))
    else:
        _print_comparison(found)
    return TO_CHANGE if found.unintended else 0


def _print_comparison(found: "Comparison") -> None:
    left, right = found.left.environment, found.right.environment
    if found.differences:
        rows = [_row(item) for item in found.differences]
        print_table(("IS", "WHAT", left.upper(), right.upper(), "WHY"), rows, coloured=0)
    for what in found.unused:
        click.echo(f"listed as intended, and no difference: {what}", err=True)
    count = len(found.unintended)
    if count:
        text = f"{left} and {right} differ in {count} things that are not listed as intended"
        click.echo(f"\n{paint(text, 'red', bold=True)}")
        click.echo(f"  list it under environments.{left}.intended, or make them alike", err=True)
    elif found.differences:
        click.echo(f"\n{left} and {right} differ only as intended")
    else:
        click.echo(f"{left} and {right} are alike")


def _row(item: "Difference") -> tuple[str, ...]:
    return (
        "change" if item.why is None else "ok",
        item.what,
        *(_amount(item.what, value) for value in (item.left, item.right)),
        item.why or "",
    )


def _amount(what: str, value: str) -> str:
    """Bytes as a person writes them; Compose renders every size as a plain number."""
    if not what.endswith(".memory") or not value.isdecimal():
        return value
    return f"{int(value) / MEBIBYTE:g} MiB"


def _comparison_json(found: "Comparison") -> dict[str, object]:
    return {
        "left": str(found.left),
        "right": str(found.right),
        "is_alike": not found.unintended,
        "unused": found.unused,
        "differences": [
            {"what": item.what, "left": item.left, "right": item.right, "intended": item.why}
            for item in found.differences
        ],
    }


def _releases(invocation: Invocation, stack: StackId, old: int, new: int) -> None:
    from berthmaster.services.compare import compare_numbers

    lines = compare_numbers(invocation.outside, stack, old, new)
    if invocation.is_json:
        changes = [
            {"section": item.section, "subject": item.subject, "what": item.text} for item in lines
        ]
        print_json({"stack": str(stack), "old": old, "new": new, "changes": changes})
        return
    click.echo(paint(f"{stack}  r{old} -> r{new}", None, bold=True))
    _print_lines(lines)


def _print_lines(lines: "tuple[Line, ...]") -> None:
    if not lines:
        click.echo("nothing changed")
    for section in dict.fromkeys(item.section for item in lines):
        note = "  (values are never shown)" if section in ("config", "secrets") else ""
        click.echo(f"\n{section}{note}")
        found = [item for item in lines if item.section == section]
        width = max(len(item.subject) for item in found)
        for item in found:
            click.echo(f"  {item.subject:<{width}}  {item.text}")
