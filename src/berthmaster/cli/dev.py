"""`berth dev`: plain Docker Compose on a developer's machine."""

import click

from berthmaster.cli.container import replace_process
from berthmaster.cli.group import LazyGroup
from berthmaster.cli.invocation import BerthCommand, Invocation
from berthmaster.services.develop import dev_command

_REST = {"ignore_unknown_options": True, "allow_interspersed_args": False}
_rest = click.argument(
    "arguments", metavar="[COMPOSE ARGUMENTS]...", nargs=-1, type=click.UNPROCESSED
)


@click.group(
    cls=LazyGroup,
    sections={
        "Commands": {
            "up": "berthmaster.cli.dev:up",
            "down": "berthmaster.cli.dev:down",
            "logs": "berthmaster.cli.dev:logs",
        }
    },
)
def dev() -> None:
    """Run the development files with plain Docker Compose."""


@click.command(cls=BerthCommand, context_settings=_REST)
@_rest
@click.pass_obj
def up(invocation: Invocation, arguments: tuple[str, ...]) -> None:
    """Build and start the app; Ctrl-C stops it."""
    _hand_over(invocation, ("up", "--build", *arguments))


@click.command(cls=BerthCommand, context_settings=_REST)
@_rest
@click.pass_obj
def down(invocation: Invocation, arguments: tuple[str, ...]) -> None:
    """Stop and remove the app; volumes stay without --volumes."""
    _hand_over(invocation, ("down", *arguments))


@click.command(cls=BerthCommand, context_settings=_REST)
@_rest
@click.pass_obj
def logs(invocation: Invocation, arguments: tuple[str, ...]) -> None:
    """Follow the app's logs."""
    _hand_over(invocation, ("logs", "--follow", *arguments))


def _hand_over(invocation: Invocation, arguments: tuple[str, ...]) -> None:
    folder = invocation.folder.resolve()
    replace_process(dev_command(invocation.outside, folder, arguments))
