"""`berth completion`: the script that lets a shell complete commands and stacks."""

import click
from click.shell_completion import get_completion_class

from berthmaster.cli.invocation import BerthCommand

VARIABLE = "_BERTH_COMPLETE"


@click.command(cls=BerthCommand)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what lets a shell complete commands and stacks.

    For this session: eval "$(berth completion bash)"
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - the choice above holds only click's own
    click.echo(found(context.find_root().command, {}, "berth", VARIABLE).source())
