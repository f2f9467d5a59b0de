"""`berth cert`: list, check, import, remove."""

import contextlib
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import click

from berthmaster.cli.files import FileHere
from berthmaster.cli.group import LazyGroup
from berthmaster.cli.invocation import BerthCommand, Invocation
from berthmaster.cli.output import paint, print_json, print_table
from berthmaster.domain.errors import NotFound
from berthmaster.domain.names import check_host, shown

if TYPE_CHECKING:
    from berthmaster.services.domains.certificates import CertificateLine, CertificateReport

BAD_CODE = 3


@click.group(
    cls=LazyGroup,
    sections={
        "Commands": {
            "list": "berthmaster.cli.cert:list_",
            "check": "berthmaster.cli.cert:check",
            "import": "berthmaster.cli.cert:import_",
            "remove": "berthmaster.cli.cert:remove",
        }
    },
)
def cert() -> None:
    """See, check and bring the certificates of this server."""


@click.command("list", cls=BerthCommand)
@click.pass_obj
def list_(invocation: Invocation) -> None:
    """List certificates, and hosts that got none with the reason."""
    from berthmaster.services.domains.certificates import read_certificates

    report = invocation.run(read_certificates)
    if invocation.is_json:
        print_json(_report_json(report))
        return
    if report.lines:
        print_table(("HOST", "DAYS", "ISSUER", "LAST ERROR"), [_row(one) for one in report.lines])
    else:
        click.echo("the edge has no certificate yet: the first visitor of a host brings it")
    for alert in report.alerts:
        click.echo(paint(f"  alert: {alert.subject}: {shown(alert.text)}", "yellow"))
    if report.log_error:
        why = f"  why others have none is not known: {shown(report.log_error)}"
        click.echo(paint(why, "yellow"), err=True)
    if report.asking is None:
        click.echo("  the ask responder does not answer: berth gateway status", err=True)
        return
    orders = report.asking.orders
    click.echo(f"  orders of 7 days: {', '.join(f'{n} {word}' for word, n in orders.items())}")
    for line in report.asking.alerts:
        click.echo(paint(f"  budget: {line}", "yellow"))


@click.command(cls=BerthCommand)
@click.argument("host")
@click.option("--resolve", "address", metavar="ADDR", help="Connect here, whatever DNS says.")
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(1, 65535),
    help="Default: the first TLS entrypoint's.",
)
@click.pass_context
def check(context: click.Context, host: str, address: str | None, port: int | None) -> None:
    """Look at the certificate that an address shows for a host."""
    from berthmaster.services.domains.certificates import check_certificate

    invocation = context.find_object(Invocation) or Invocation()
    name = check_host(host)
    at = None if address is None else _address(address)
    found = invocation.run(lambda outside: check_certificate(outside, name, at, port))
    if invocation.is_json:
        print_json(
            {
                "host": found.host,
                "address": found.address,
                "port": found.port,
                "is_good": found.is_good,
                "error": found.error,
                "issuer": found.issuer,
                "names": found.names,
                "ends_at": found.ends_at,
            }
        )
    else:
        until = f", until {found.ends_at:%Y-%m-%d %H:%M} UTC" if found.ends_at else ""
        word = paint("good", "green") if found.is_good else paint(found.error, "red")
        click.echo(f"{found.host} at {found.address}:{found.port}: {word}{until}")
        if found.issuer:
            click.echo(f"  issuer  {shown(found.issuer)}")
    if not found.is_good:
        context.exit(BAD_CODE)


@click.command("import", cls=BerthCommand)
@click.argument("certificate", type=FileHere())
@click.argument("key", type=FileHere())
@click.pass_obj
def import_(invocation: Invocation, certificate: Path, key: Path) -> None:
    """Show visitors a certificate that you bring, as a wildcard."""
    from berthmaster.services.domains.certificates import import_certificate

    found = invocation.run(lambda outside: import_certificate(outside, certificate, key))
    if invocation.is_json:
        print_json({"host": found.host, "names": found.names, "ends_at": found.ends_at})
    else:
        names = ", ".join(found.names)
        click.echo(f"{names}  shown from now on, until {found.ends_at:%Y-%m-%d}; renew it yourself")


@click.command(cls=BerthCommand)
@click.argument("host")
@click.pass_obj
def remove(invocation: Invocation, host: str) -> None:
    """Take an imported certificate away again."""
    from berthmaster.services.domains.certificates import drop_certificate

    name = check_host(host)
    if not invocation.run(lambda outside: drop_certificate(outside, name)):
        raise NotFound(f"no certificate of {name} was imported", next_command="berth cert list")
    if invocation.is_json:
        print_json({"host": name, "is_removed": True})
    else:
        click.echo(f"{name}  its imported certificate is gone")


def _address(text: str) -> str:
    """An IP address or a host name; raises `InvalidName` for anything else."""
    with contextlib.suppress(ValueError):
        return str(ip_address(text))
    return check_host(text)


def _row(line: "CertificateLine") -> tuple[str, ...]:
    days = "none" if line.days_left is None else f"{line.days_left:.0f}"
    issuer = shown(line.held.issuer) if line.held else "-"
    kind = " (imported)" if line.held and line.held.is_imported else ""
    return line.host, days, f"{issuer}{kind}", shown(line.error) or "-"


def _report_json(report: "CertificateReport") -> dict[str, object]:
    lines = [
        {
            "host": line.host,
            "days_left": line.days_left,
            "issuer": line.held.issuer if line.held else None,
            "names": line.held.names if line.held else (),
            "is_imported": bool(line.held and line.held.is_imported),
            "error": line.error,
            "is_bad": line.is_bad,
        }
        for line in report.lines
    ]
    asking = report.asking
    return {
        "certificates": lines,
        "orders": dict(asking.orders) if asking else None,
        "decisions": dict(asking.decisions) if asking else None,
        "alerts": asking.alerts if asking else (),
        "log_error": report.log_error or None,
        "open_alerts": [{"subject": one.subject, "text": one.text} for one in report.alerts],
    }
