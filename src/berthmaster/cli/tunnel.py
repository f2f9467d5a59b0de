"""`berth gateway tunnel`: what cloudflared should be told, and whether it is well."""

import click

from berthmaster.cli.invocation import BerthCommand, Invocation
from berthmaster.cli.output import print_json
from berthmaster.services.read_tunnel import read_tunnel, write_tunnel

OUTSIDE_CODE = 3


@click.command(cls=BerthCommand)
@click.option("--write", "is_written", is_flag=True, help="Write it where the settings say.")
@click.pass_context
def tunnel(context: click.Context, is_written: bool) -> None:
    """Print the cloudflared configuration, and check the tunnel.

    Each host leads to the entrypoint it was claimed on. The credentials file's name, owner and
    mode are looked at, and whether the tunnel says that it is ready.
    """
    invocation = context.find_object(Invocation) or Invocation()
    found = invocation.run(read_tunnel)
    is_changed = False
    if is_written:
        is_changed = write_tunnel(found)
        found = invocation.run(read_tunnel)
    if invocation.is_json:
        print_json({"config": found.text, "problems": found.problems, "is_written": is_changed})
    else:
        click.echo(found.text, nl=False)
        for problem in found.problems:
            click.echo(f"  {problem}", err=True)
        if is_changed:
            click.echo(f"  written to {found.tunnel.config}; restart cloudflared", err=True)
    if found.problems:
        context.exit(OUTSIDE_CODE)
