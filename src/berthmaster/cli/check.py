"""`berth check`: what would stop a deploy, worst first, each with its remedy."""

import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
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
Row = tuple[Check, tuple[str, ...]]  # an answer and the environments that gave it


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
    rows = _merged(reports)
    environments = [report.stack.environment for report in reports]
    for severity, title in TITLES.items():
        found = [row for row in rows if row[0].severity is severity]
        if found:
            click.echo(paint(title, COLOURS.get(severity.value), bold=True))
            _print_rows(found, environments)
            click.echo()
    _print_good([row for row in rows if row[0].severity is Severity.OK], environments, is_verbose)
    for report in reports:
        click.echo(_verdict(report))


def _merged(reports: "Sequence[CheckReport]") -> list[Row]:
    """Each answer once, with the environments that gave it: most are about the server."""
    found: dict[Check, list[str]] = {}
    for report in reports:
        for item in dict.fromkeys(report.checks):
            found.setdefault(item, []).append(report.stack.environment)
    return [(item, tuple(names)) for item, names in found.items()]


def _print_rows(rows: Sequence[Row], environments: Sequence[str]) -> None:
    width = max(len(item.id) for item, _ in rows)
    for item, names in rows:
        where = f"{_where(names, environments)}: " if len(environments) > 1 else ""
        _paragraph(item.id.ljust(width), f"{where}{item.evidence}")
        if item.why:
            _paragraph(" " * width, f"why: {item.why}")
        if item.remedy:
            _paragraph(" " * width, f"do: {item.remedy}", colour="green")


def _print_good(rows: Sequence[Row], environments: Sequence[str], is_verbose: bool) -> None:
    if not rows:
        return
    click.echo(paint("ok", "green", bold=True))
    if is_verbose:
        _print_rows(rows, environments)
    else:
        _paragraph("", ", ".join(dict.fromkeys(item.id for item, _ in rows)))
    click.echo()


def _where(names: tuple[str, ...], environments: Sequence[str]) -> str:
    return "all" if len(names) == len(environments) else ", ".join(names)


def _paragraph(head: str, text: str, *, colour: str | None = None) -> None:
    """One answer, wrapped under itself on a terminal; elsewhere one line, for grep."""
    indent = " " * (len(head) + (4 if head else 2))
    width = max(shutil.get_terminal_size().columns - len(indent), NARROWEST)
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, width) or [""]]
    if not sys.stdout.isatty():
        lines = text.splitlines()
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
    ready = "" if report.exit_code else f"  ready: berth deploy {report.stack}"
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
