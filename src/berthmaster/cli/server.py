"""`berth server` and `berth tick`: the machine itself."""

import contextlib

import click

from berthmaster.cli.group import LazyGroup
from berthmaster.cli.invocation import BerthCommand, Invocation
from berthmaster.cli.output import print_json
from berthmaster.ports.outside import Outside


@click.group(
    cls=LazyGroup,
    sections={
        "Commands": {
            "prepare": "berthmaster.cli.server:prepare",
            "unprepare": "berthmaster.cli.server:unprepare",
        }
    },
)
def server() -> None:
    """Prepare the machine that Berthmaster is installed on."""


@click.command(cls=BerthCommand)
@click.pass_obj
def prepare(invocation: Invocation) -> None:
    """Make folders, store, firewall chain and timer; repeatable.

    The timer and the firewall at boot are units of systemd, where the machine has it.
    """
    from berthmaster.bootstrap import build_units
    from berthmaster.services.prepare_server import prepare_server

    folders = [invocation.settings.state_folder]
    units = build_units(invocation.settings)
    told = invocation.run(lambda outside: prepare_server(outside, folders, units))
    if invocation.is_json:
        print_json({"done": told})
        return
    for line in told:
        click.echo(line)
    click.echo("  next: berth gateway up", err=True)


@click.command(cls=BerthCommand)
@click.pass_obj
def unprepare(invocation: Invocation) -> None:
    """Take the timer and the boot unit out of systemd again.

    Stacks, records and the firewall chain stay.
    """
    from berthmaster.bootstrap import build_units
    from berthmaster.services.prepare_server import unprepare_server

    units = build_units(invocation.settings)
    told = invocation.run(lambda _: unprepare_server(units))
    if invocation.is_json:
        print_json({"done": told})
    else:
        click.echo("\n".join(told) or "there was nothing of Berthmaster in systemd")


@click.command(cls=BerthCommand)
@click.pass_obj
def tick(invocation: Invocation) -> None:
    """Do what is due: recover, retire, forget. For a timer, or by hand."""
    from berthmaster.services.tick import tick as do_tick

    async def work(outside: Outside) -> tuple[str, ...]:
        return await do_tick(outside, invocation.progress)

    with contextlib.closing(invocation.progress):
        told = invocation.run(work)
    if invocation.is_json:
        print_json({"done": told})
    else:
        click.echo("\n".join(told) or "nothing was due")
