"""`berth adopt`: take over a running Compose project, and give it back."""

from typing import TYPE_CHECKING

import click

from berthmaster.cli.housekeeping import changing
from berthmaster.cli.invocation import BerthCommand, Invocation, stack_argument
from berthmaster.cli.output import print_json
from berthmaster.cli.planned import print_plan

if TYPE_CHECKING:
    from berthmaster.domain.names import StackId
    from berthmaster.ports.outside import Outside
    from berthmaster.services.carry_out import Outcome


@click.command(cls=BerthCommand)
@click.argument("project")
@stack_argument
@click.option("--plan", "is_plan", is_flag=True, help="Show the plan, and change nothing.")
@click.option("--undo", "is_undo", is_flag=True, help="Give the project back as it was.")
@click.pass_obj
def adopt(
    invocation: Invocation, project: str, stack: str | None, is_plan: bool, is_undo: bool
) -> None:
    """Take over a running Compose PROJECT; nothing in it restarts.

    Its containers become release r0, its databases and volumes stay where they are. What each
    service is stands in berth.yaml, which `berth init` writes.
    """
    if is_undo:
        _give_back(invocation, project, invocation.known_stack(stack), is_plan)
    else:
        _adopt(invocation, project, invocation.declared_stack(stack), is_plan)


def _adopt(invocation: Invocation, project: str, wanted: "StackId", is_plan: bool) -> None:
    from berthmaster.services import adopt as adopting
    from berthmaster.services.render_model import ReleaseRequest

    folder = invocation.folder_of(wanted)
    request = ReleaseRequest(wanted, folder, command="berth adopt")
    if is_plan:
        found = invocation.run(lambda outside: adopting.plan_adoption(outside, request, project))
        print_plan(invocation, found)
        return

    async def work(outside: "Outside") -> "Outcome":
        return await adopting.adopt(outside, request, project, invocation.progress)

    outcome = changing(invocation, work)
    router = _router_of(invocation, request.stack)
    if invocation.is_json:
        deployment = outcome.deployment
        print_json({"stack": str(wanted), "release": 0, "deployment": deployment, "at": router})
        return
    click.echo(f"{wanted}  r0 is {project} as it runs ({outcome.deployment})")
    if router:
        click.echo(f"  your proxy: let it pass requests to {router}, Host header kept", err=True)
    click.echo(f"  next: berth deploy {wanted}", err=True)
    click.echo(f"  give back: berth adopt {project} {wanted} --undo", err=True)


def _router_of(invocation: Invocation, stack: "StackId") -> str:
    """Where the stack's entrypoint answers on this machine; empty for a stack without routes."""
    outside = invocation.outside
    release = outside.store.release(stack, 0)
    if release is None or not release.routes:
        return ""
    for item in outside.entrypoints:
        if item.name == release.entrypoint:
            scheme = "http" if item.tls.value == "off" else "https"
            return f"{scheme}://127.0.0.1:{item.port}"
    return ""


def _give_back(invocation: Invocation, project: str, wanted: "StackId", is_plan: bool) -> None:
    from berthmaster.services import adopt as adopting

    if is_plan:
        found = invocation.run(lambda outside: adopting.plan_undo(outside, wanted, project))
        print_plan(invocation, found)
        return

    async def work(outside: "Outside") -> "Outcome":
        return await adopting.undo(outside, wanted, project, invocation.progress)

    outcome = changing(invocation, work)
    if invocation.is_json:
        print_json({"stack": str(wanted), "given_back": project, "deployment": outcome.deployment})
    else:
        click.echo(f"{wanted}  {project} is given back as it was ({outcome.deployment})")
