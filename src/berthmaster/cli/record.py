"""`berth record`: what runs, as files for git."""

import click

from berthmaster.cli.invocation import BerthCommand, Invocation, stack_argument
from berthmaster.cli.output import print_json
from berthmaster.domain.errors import UserError
from berthmaster.domain.names import StackId
from berthmaster.services.record_release import Written, record_release


@click.command(cls=BerthCommand)
@stack_argument
@click.option("--all", "is_all", is_flag=True, help="Every environment that runs a release.")
@click.option("--report", "is_report", is_flag=True, help="Write a report under docs/reports, too.")
@click.pass_obj
def record(invocation: Invocation, stack: str | None, is_all: bool, is_report: bool) -> None:
    """Write down what an environment runs, as a file for git.

    Revision, digests, time and person, in `deployments/ENV.json` beside berth.yaml. The report is
    made from docs/reports/TEMPLATE.md where that is there.
    """
    if is_all and stack:
        raise UserError("--all takes no stack")
    stacks = _all(invocation) if is_all else [invocation.known_stack(stack)]
    written: list[Written] = []
    for item in stacks:
        folder = invocation.folder_of(item)
        written += record_release(invocation.outside, item, folder, with_report=is_report)
    if invocation.is_json:
        files = [{"file": str(item.path), "is_changed": item.is_changed} for item in written]
        print_json({"files": files})
        return
    for one in written:
        click.echo(f"{one.path}{'' if one.is_changed else '  (as it was)'}")
    changed = [str(one.path) for one in written if one.is_changed]
    if changed:
        click.echo(f"  next: git add {' '.join(changed)}", err=True)


def _all(invocation: Invocation) -> list[StackId]:
    spec = invocation.outside.specs.read(invocation.folder.resolve())
    found = [item.id for item in invocation.outside.store.stacks() if item.live is not None]
    return [item for item in found if item.app == spec.app]
