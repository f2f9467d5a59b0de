"""Commands about one deployment that did not end: continue, unwind, attach."""

import contextlib

import click

from berthmaster.cli.housekeeping import changing_without_recovery
from berthmaster.cli.invocation import BerthCommand, Invocation
from berthmaster.cli.output import print_json
from berthmaster.domain.deployment import TERMINAL, Deployment, DeploymentState
from berthmaster.domain.errors import InvalidName, NotAllowed, NotFound
from berthmaster.ports.outside import Outside

_which = click.argument("deployment", metavar="[dN]", required=False)


@click.command("continue", cls=BerthCommand)
@_which
@click.pass_obj
def continue_(invocation: Invocation, deployment: str | None) -> None:
    """Carry an unfinished deployment to its end."""
    from berthmaster.services.recover import continue_deployment

    number = _number(invocation, deployment)

    async def work(outside: Outside) -> Deployment:
        return await continue_deployment(outside, number, invocation.progress)

    _print(invocation, changing_without_recovery(invocation, work))


@click.command(cls=BerthCommand)
@_which
@click.pass_obj
def unwind(invocation: Invocation, deployment: str | None) -> None:
    """Reverse an unfinished deployment."""
    from berthmaster.services.recover import unwind_deployment

    number = _number(invocation, deployment)

    async def work(outside: Outside) -> Deployment:
        return await unwind_deployment(outside, number, invocation.progress)

    _print(invocation, changing_without_recovery(invocation, work))


@click.command(cls=BerthCommand)
@_which
@click.pass_context
def attach(context: click.Context, deployment: str | None) -> None:
    """Follow a deployment that runs elsewhere, or see how it ended.

    Ends as that one does: 0 when the release is live, 1 when it was refused. Ctrl-C ends the
    looking only. Without a number: the unfinished one, else the newest.
    """
    from berthmaster.services.follow_deployment import follow_deployment

    invocation = context.find_object(Invocation) or Invocation()
    number = deployment_number(deployment) if deployment else None
    _check_key(invocation, number)

    async def work(outside: Outside) -> Deployment:
        return await follow_deployment(outside, number, invocation.progress)

    with contextlib.closing(invocation.progress):
        found = invocation.run(work)
    if found.error and not invocation.is_json:
        click.echo(found.error, err=True)
    _print(invocation, found)
    if found.state not in TERMINAL and not invocation.is_json:
        following = f"berth continue {found.label}, or berth unwind {found.label}"
        click.echo(f"  nobody works on it now\n  next: {following}", err=True)
    context.exit(0 if found.state is DeploymentState.SUCCEEDED else 1)


def _check_key(invocation: Invocation, number: int | None) -> None:
    """A key for some environments may follow deployments of these only."""
    allowance = invocation.served.allowance if invocation.served else None
    if allowance is None or not allowance.environments:
        return
    found = invocation.outside.store.deployment(number) if number is not None else None
    if found is None:
        raise NotAllowed(f"the key {allowance.name} must name a deployment that it may follow")
    allowance.check_environment(found.stack.environment)


NUMBER_DIGITS = 18  # what fits into the store's integers


def deployment_number(text: str) -> int:
    """Read `d41`; raises `InvalidName`."""
    plain = text.removeprefix("d")
    if not plain.isdecimal() or not plain.isascii() or len(plain) > NUMBER_DIGITS:
        raise InvalidName(f"{text!r} is no deployment: write d41", next_command="berth show")
    return int(plain)


def _number(invocation: Invocation, text: str | None) -> int:
    if text is not None:
        return deployment_number(text)
    found = invocation.outside.store.unfinished()
    if len(found) == 1:
        return found[0].id
    if not found:
        raise NotFound("no deployment is unfinished", next_command="berth show")
    names = ", ".join(f"{item.label} ({item.stack})" for item in found)
    raise NotFound(f"which deployment? unfinished are {names}")


def _print(invocation: Invocation, deployment: Deployment) -> None:
    if invocation.is_json:
        print_json(
            {
                "deployment": deployment.label,
                "stack": str(deployment.stack),
                "state": deployment.state,
            }
        )
    else:
        click.echo(f"{deployment.stack}  {deployment.label} is {deployment.state}")
