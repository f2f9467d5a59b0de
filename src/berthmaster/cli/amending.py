"""`berth tenant set`: another size, other variables, another end."""

import click

from berthmaster.cli.invocation import BerthCommand, Invocation
from berthmaster.cli.output import print_json
from berthmaster.cli.tenant import (
    declared_tenant,
    folder_of,
    parse_expiry,
    parse_pairs,
    tenant_argument,
)
from berthmaster.domain.errors import UserError

NEVER = "never"


@click.command("set", cls=BerthCommand)
@tenant_argument
@click.argument("values", metavar="[NAME=VALUE...]", nargs=-1)
@click.option("--resources", "size", metavar="SIZE", help="One of `tenancy.sizes` of berth.yaml.")
@click.option("--expires", metavar="14d", help="It is suspended then; a date, or `never`.")
@click.pass_obj
def set_(
    invocation: Invocation,
    stack: str,
    values: tuple[str, ...],
    size: str | None,
    expires: str | None,
) -> None:
    """Change a tenant's size, variables or last day.

    An empty value takes a variable away. Size and variables count from the tenant's next release
    on: deploy it.
    """
    from berthmaster.services.tenants.change import Changes, amend

    wanted, is_endless = declared_tenant(invocation, stack), expires == NEVER
    changes = Changes(
        parse_pairs("set", values),
        size,
        parse_expiry(None if is_endless else expires),
        is_endless=is_endless,
    )
    if changes == Changes():
        raise UserError("nothing to change: NAME=VALUE, --resources or --expires")
    found = amend(invocation.outside, folder_of(invocation, wanted), wanted, changes)
    if invocation.is_json:
        print_json(
            {
                "tenant": str(wanted),
                "size": found.size,
                "values": dict(found.values),
                "expires_at": found.expires_at,
            }
        )
        return
    ends = f"until {found.expires_at:%Y-%m-%d}" if found.expires_at else "without an end"
    shown = ", ".join(f"{key}={value}" for key, value in found.values.items()) or "no variables"
    click.echo(f"{wanted}  size {found.size or '-'}, {shown}, {ends}")
    if changes.needs_deploy:
        click.echo(f"  next: berth deploy {wanted}")
