"""Commands about one deployment that did not end: continue, unwind."""

import click

from berthmaster.cli.housekeeping import changing_without_recovery
from berthmaster.cli.invocation import BerthCommand, Invocation
from berthmaster.cli.output import print_json
from berthmaster.domain.deployment import Deployment
from berthmaster.domain.errors import InvalidName, NotFound
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
