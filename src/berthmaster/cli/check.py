"""`berth check`: what would stop a deploy, worst first, each with its remedy."""

import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import click

from berthmaster.cli.invocation import BerthCommand, Invocation, stack_argument
from berthmaster.cli.output import COLOURS, paint, print_json
from berthmaster.domain.check import Check, Severity
from berthmaster.domain.errors import UserError
from berthmaster.domain.names import StackId
from berthmaster.ports.outside import Outside

if TYPE_CHECKING:
    from berthmaster.services.checks.asking import CheckReport
    from berthmaster.services.render_model import ReleaseRequest

TITLES: Final = {
    Severity.CHANGE: "to change",
    Severity.OUTSIDE: "outside",
    Severity.UNKNOWN: "not known",
    Severity.OVERRIDDEN: "overridden in berth.yaml",
    Severity.NOTE: "notes",
}
NARROWEST: Final = 40  # columns of evidence even on a narrow terminal
_SHARED: Final = frozenset({Severity.UNKNOWN})  # one reason often answers many checks


@dataclass(frozen=True, slots=True)
class Line:
    """An answer as it is printed: once for all environments and all checks that it answers."""

    answer: Check
    place: str
    ids: tuple[str, ...]


@click.command(cls=BerthCommand)
@stack_argument
@click.option("--all", "is_all", is_flag=True, help="Every environment of berth.yaml.")
@click.option("--tag", metavar="T", help="Value of the release variable (IMAGE_TAG).")
@click.option("-v", "--verbose", is_flag=True, help="Print the evidence of what is good too.")
@click.pass_context
def check(
    context: click.Context, stack: str | None, is_all: bool, tag: str | None, verbose: bool
) -> None:
    """Find what would stop a deploy, before it does.

    Files, settings, secrets, policy, images, server, gateway, database. Changes nothing.
    """
    invocation = context.find_object(Invocation) or Invocation()
    if is_all and stack:
        raise UserError("--all takes no environment", next_command="berth check --all")
    stacks = _all_stacks(invocation) if is_all else [invocation.declared_stack(stack)]
    reports = invocation.run(lambda outside: _ask(outside, invocation, stacks, tag))
    if invocation.is_json:
        print_json({"checks": [_report_json(report) for report in reports]})
    else:
        _print(reports, is_verbose=verbose)
    codes = {report.exit_code for report in reports} - {0}
    context.exit(min(codes, default=0))  # 2 wins over 3: what must be changed comes first


async def _ask(
    outside: Outside, invocation: Invocation, stacks: Sequence[StackId], tag: str | None
) -> "list[CheckReport]":
    from berthmaster.services.checks.asking import check_environments
    from berthmaster.services.render_model import ReleaseRequest

    requests = [
        ReleaseRequest(item, invocation.folder_of(item), tag, command="berth check")
        for item in stacks
    ]
    if len(requests) > 1:  # a developer's environment builds, and has no tag to be given
        requests = [replace(item, tag=_tag_of(invocation, item)) for item in requests]
    return await check_environments(outside, requests)


def _tag_of(invocation: Invocation, request: "ReleaseRequest") -> str | None:
    spec = invocation.outside.specs.read(request.folder)
    is_strict = spec.environments[request.stack.environment].is_strict
    return request.tag if is_strict else None


def _all_stacks(invocation: Invocation) -> list[StackId]:
    spec = invocation.outside.specs.read(invocation.folder.resolve())
    return [StackId(spec.app, name) for name in spec.environments]


def _print(reports: "Sequence[CheckReport]", *, is_verbose: bool) -> None:
    lines, has_places = _merged(reports), len(reports) > 1
    for severity, title in TITLES.items():
        found = [line for line in lines if line.answer.severity is severity]
        if found:
            click.echo(paint(title, COLOURS.get(severity.value), bold=True))
            _print_lines(found, has_places=has_places)
            click.echo()
    good = [line for line in lines if line.answer.severity is Severity.OK]
    _print_good(good, has_places=has_places, is_verbose=is_verbose)
    for report in reports:
        click.echo(_verdict(report))


def _merged(reports: "Sequence[CheckReport]") -> list[Line]:
    """Each answer once, with its environments and all checks that it is the answer of."""
    found: dict[Check, list[str]] = {}
    for report in reports:
        for item in dict.fromkeys(report.checks):
            found.setdefault(item, []).append(report.stack.environment)
    lines: dict[tuple[Check, str], list[str]] = {}
    for item, names in found.items():
        place = "all" if len(names) == len(reports) else ", ".join(names)
        key = (replace(item, id="") if item.is_bad or item.severity in _SHARED else item, place)
        lines.setdefault(key, []).append(item.id)
    return [Line(item, place, tuple(ids)) for (item, place), ids in lines.items()]


def _print_lines(lines: Sequence[Line], *, has_places: bool) -> None:
    """Check, environment when there are several, evidence; under it the reason or the remedy."""
    wide = max(len(line.ids[0]) for line in lines)
    narrow = max(len(line.place) for line in lines)
    for line in lines:
        head = line.ids[0].ljust(wide) + (f"  {line.place.ljust(narrow)}" if has_places else "")
        item, rest = line.answer, " " * len(head)
        _paragraph(head, item.evidence)
        if line.ids[1:]:
            _paragraph(rest, f"also: {', '.join(line.ids[1:])}")
        if item.why:
            _paragraph(rest, f"why: {item.why}")
        if item.remedy:
            _paragraph(rest, f"do: {item.remedy}", colour="green")


def _print_good(lines: Sequence[Line], *, has_places: bool, is_verbose: bool) -> None:
    if not lines:
        return
    click.echo(paint("ok", "green", bold=True))
    if is_verbose:
        _print_lines(lines, has_places=has_places)
    else:
        _paragraph("", ", ".join(dict.fromkeys(name for line in lines for name in line.ids)))
    click.echo()


def _paragraph(head: str, text: str, *, colour: str | None = None) -> None:
    """One answer, wrapped under itself on a terminal; elsewhere one line, for grep."""
    indent = " " * (len(head) + (4 if head else 2))
    width = max(shutil.get_terminal_size().columns - len(indent), NARROWEST)
    lines = text.splitlines()
    if sys.stdout.isatty():
        wrap = textwrap.TextWrapper(width, break_on_hyphens=False)
        lines = [part for line in lines for part in wrap.wrap(line) or [""]]
    first, *rest = [paint(line, colour) for line in lines or [""]]
    start = f"  {head}  " if head else "  "
    click.echo("\n".join([f"{start}{first}", *(f"{indent}{line}" for line in rest)]))


def _verdict(report: "CheckReport") -> str:
    counted = {
        severity: len([item for item in report.checks if item.severity is severity])
        for severity in Severity
    }
    words = [f"{counted[key]} {TITLES[key].split(' in ')[0]}" for key in TITLES if counted[key]]
    stack = paint(str(report.stack), None, bold=True)
    summary = ", ".join([*words, f"{counted[Severity.OK]} ok"])
    following = f"berth deploy {report.stack}" if report.is_strict else "berth dev up"
    ready = "" if report.exit_code else f"  ready: {following}"
    return f"{stack}  {summary}{ready}"


def _report_json(report: "CheckReport") -> dict[str, Any]:
    return {
        "stack": str(report.stack),
        "exit_code": report.exit_code,
        "checks": [
            {
                "id": item.id,
                "severity": item.severity,
                "evidence": item.evidence,
                "remedy": item.remedy,
                "why": item.why,
            }
            for item in report.checks
        ],
    }
