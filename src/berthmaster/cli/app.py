"""Commands about an app's files: init, check, build."""

import subprocess
from typing import TYPE_CHECKING, Any

import click

from berthmaster.cli.invocation import BerthCommand, Invocation, stack_argument
from berthmaster.cli.output import paint, print_json, print_table
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.names import StackId, check_name
from berthmaster.ports.outside import Outside

if TYPE_CHECKING:
    from berthmaster.services.build_images import Built
    from berthmaster.services.check_environment import CheckReport


@click.command(cls=BerthCommand)
@click.option("--force", is_flag=True, help="Write over an existing berth.yaml.")
@click.pass_obj
def init(invocation: Invocation, force: bool) -> None:
    """Write a first berth.yaml from the Compose files here."""
    from berthmaster.services.init_app import init_app

    folder = invocation.folder.resolve()
    text = invocation.run(lambda outside: init_app(outside, folder, is_forced=force))
    if invocation.is_json:
        print_json({"file": str(folder / "berth.yaml"), "text": text})
        return
    click.echo(text, nl=False)
    click.echo(f"\nwritten to {folder / 'berth.yaml'}\n  next: berth check --all", err=True)


@click.command(cls=BerthCommand)
@stack_argument
@click.option("--all", "is_all", is_flag=True, help="Every environment of berth.yaml but dev.")
@click.option("--tag", metavar="T", help="Value of the release variable (IMAGE_TAG).")
@click.pass_context
def check(context: click.Context, stack: str | None, is_all: bool, tag: str | None) -> None:
    """Find what would stop a deploy.

    Files, policy, images, gateway, firewall, disk and addresses.
    """
    from berthmaster.services.check_environment import check_environment
    from berthmaster.services.render_model import ReleaseRequest

    invocation = context.find_object(Invocation) or Invocation()
    stacks = _all_stacks(invocation) if is_all else [invocation.declared_stack(stack)]
    requests = [
        ReleaseRequest(item, invocation.folder_of(item), tag, command="berth check")
        for item in stacks
    ]

    async def work(outside: Outside) -> "list[CheckReport]":
        return [await check_environment(outside, request) for request in requests]

    reports = invocation.run(work)
    if invocation.is_json:
        print_json({"checks": [_report_json(report) for report in reports]})
    else:
        for report in reports:
            _print_report(report)
    codes = {report.exit_code for report in reports} - {0}
    context.exit(min(codes, default=0))  # 2 wins over 3: what must be changed comes first


def _all_stacks(invocation: Invocation) -> list[StackId]:
    spec = invocation.outside.specs.read(invocation.folder.resolve())
    return [StackId(spec.app, name) for name in sorted(spec.environments) if name != "dev"]


def _print_report(report: "CheckReport") -> None:
    click.echo(paint(str(report.stack), None, bold=True))
    rows = [(item.severity.value, item.id, item.evidence) for item in report.checks]
    print_table(("IS", "CHECK", "EVIDENCE"), rows, coloured=0)
    bad = [item for item in report.checks if item.severity.value in ("change", "outside")]
    if bad:
        click.echo("\nto do")
        for item in bad:
            click.echo(f"  {item.id}: {item.remedy or 'see above'}")
    else:
        click.echo(f"\nready: berth deploy {report.stack}")
    click.echo()


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
            }
            for item in report.checks
        ],
    }


@click.command(cls=BerthCommand)
@stack_argument
@click.option("--tag", metavar="T", help="Tag of the images; by default the commit.")
@click.option("--push", "is_push", is_flag=True, help="Push them to their registry.")
@click.pass_obj
def build(invocation: Invocation, stack: str | None, tag: str | None, is_push: bool) -> None:
    """Build an environment's images, tagged with the commit."""
    from berthmaster.services.build_images import build_images
    from berthmaster.services.render_model import ReleaseRequest

    wanted = invocation.declared_stack(stack)
    given = None if tag is None else check_name("tag", tag)
    request = ReleaseRequest(wanted, invocation.folder_of(wanted), given, command="berth build")
    built = invocation.run(lambda outside: build_images(outside, request))
    if is_push:
        for image in built.images:
            _push(invocation, image)
    _print_built(invocation, wanted, built)


def _print_built(invocation: Invocation, stack: StackId, built: "Built") -> None:
    if invocation.is_json:
        print_json({"stack": str(stack), "tag": built.tag, "images": built.images})
        return
    for image in built.images:
        click.echo(image)
    click.echo(f"  next: berth deploy {stack} --tag {built.tag}", err=True)


def _push(invocation: Invocation, image: str) -> None:
    click.echo(f"pushing {image}", err=True)
    ended = subprocess.run(
        ["docker", "--host", invocation.settings.docker_host, "push", "--quiet", image],
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if ended.returncode != 0:
        raise OutsideError(
            f"{image} could not be pushed", subject=image, next_command="docker login"
        )
