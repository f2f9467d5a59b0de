"""`berth server` and `berth tick`: the machine itself."""

import contextlib
from pathlib import Path

import click

from berthmaster.cli.files import FileThere
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
            "backup": "berthmaster.cli.backup:backup",
            "restore": "berthmaster.cli.backup:restore",
            "restore-store": "berthmaster.cli.server:restore_store",
        },
        "Other servers, over ssh": {
            "add": "berthmaster.cli.servers:add",
            "list": "berthmaster.cli.servers:list_",
            "check": "berthmaster.cli.servers:check",
            "upgrade": "berthmaster.cli.servers:upgrade",
            "remove": "berthmaster.cli.servers:remove",
            "authorize": "berthmaster.cli.servers:authorize",
        },
    },
)
def server() -> None:
    """Prepare this machine, and know others over ssh."""


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


@click.command("restore-store", cls=BerthCommand)
@click.option(
    "--from",
    "source",
    metavar="FILE",
    type=FileThere(exists=True),
    help="The copy to put back; by default the newest sound snapshot.",
)
@click.option("--force", is_flag=True, help="Replace a sound store, too.")
@click.pass_obj
def restore_store(invocation: Invocation, source: Path | None, force: bool) -> None:
    """Put a snapshot in the place of a damaged store.

    The damaged file is set aside, never removed. Releases that the snapshot does not know are
    removed when the one that it records runs, else left running.
    """
    from berthmaster.bootstrap import build_snapshots
    from berthmaster.services.restore_store import restore_store as do_restore

    snapshots = build_snapshots(invocation.settings)
    done = invocation.run(lambda outside: do_restore(outside, snapshots, source, is_forced=force))
    if invocation.is_json:
        print_json(
            {
                "restored": str(done.source),
                "set_aside": str(done.set_aside or ""),
                "done": done.told,
            }
        )
        return
    click.echo(f"restored {done.source}")
    if done.set_aside:
        click.echo(f"the old file is {done.set_aside}")
    for line in done.told:
        click.echo(line)
    click.echo("  next: berth tick, berth status", err=True)


@click.command(cls=BerthCommand)
@click.pass_obj
def tick(invocation: Invocation) -> None:
    """Mend the gateway, finish what was killed, retire what is old.

    All that is due, for a timer or by hand; it may be run at any time.
    """
    from berthmaster.services.tick import tick as do_tick

    async def work(outside: Outside) -> tuple[str, ...]:
        return await do_tick(outside, invocation.progress, starts=True)

    with contextlib.closing(invocation.progress):
        told = invocation.run(work)
    if invocation.is_json:
        print_json({"done": told})
    else:
        click.echo("\n".join(told) or "nothing was due")
