"""`berth gateway`: up, status, routes, tunnel, down."""

from typing import Any

import click

from berthmaster.cli.group import LazyGroup
from berthmaster.cli.housekeeping import changing
from berthmaster.cli.invocation import BerthCommand, Invocation
from berthmaster.cli.output import paint, print_json, print_table
from berthmaster.domain.errors import UserError
from berthmaster.domain.hosting import named_hosts, reachable
from berthmaster.domain.routing import GatewayStatus, RouteTable
from berthmaster.services.bring_up_gateway import (
    bring_up_gateway,
    read_gateway,
    take_down_gateway,
)


@click.group(
    cls=LazyGroup,
    sections={
        "Commands": {
            "up": "berthmaster.cli.gateway:up",
            "status": "berthmaster.cli.gateway:status",
            "routes": "berthmaster.cli.gateway:routes",
            "tunnel": "berthmaster.cli.tunnel:tunnel",
            "down": "berthmaster.cli.gateway:down",
        }
    },
)
def gateway() -> None:
    """Start, stop and look at what takes all requests."""


@click.command(cls=BerthCommand)
@click.option("--plan", "is_plan", is_flag=True, help="Say what would change, and change nothing.")
@click.pass_obj
def up(invocation: Invocation, is_plan: bool) -> None:
    """Start router and edge and rebuild their table from the store.

    A new image is a planned change: it says what is replaced and for how long new connections are
    refused, before and after.
    """
    coming = invocation.run(lambda outside: outside.gateway.plan(outside.entrypoints))
    if is_plan:
        _print_plan(invocation, coming)
        return
    for line in coming:
        click.echo(line, err=True)
    done = changing(invocation, bring_up_gateway)
    if invocation.is_json:
        print_json({"done": done.told, **_status_json(done.status)})
        return
    for line in done.told:
        click.echo(line, err=True)
    _print_status(done.status)


def _print_plan(invocation: Invocation, lines: tuple[str, ...]) -> None:
    if invocation.is_json:
        print_json({"changes": lines})
    else:
        click.echo("\n".join(lines) or "router and edge run as they should")


@click.command(cls=BerthCommand)
@click.pass_context
def status(context: click.Context) -> None:
    """Show whether router and edge run and hold the right table."""
    invocation = context.find_object(Invocation) or Invocation()
    found = invocation.run(read_gateway)
    if invocation.is_json:
        print_json(_status_json(found))
    else:
        _print_status(found)
    if not found.is_router_up or found.differences:
        context.exit(3)


@click.command(cls=BerthCommand)
@click.pass_obj
def routes(invocation: Invocation) -> None:
    """List every host and path and the release that answers."""
    table = invocation.run(lambda outside: outside.router.table())
    rows = _routes(table)
    if invocation.is_json:
        names = ("entrypoint", "host", "path", "release", "target", "notes")
        print_json({"routes": [dict(zip(names, row, strict=True)) for row in rows]})
    elif rows:
        print_table(("ENTRYPOINT", "HOST", "PATH", "RELEASE", "TARGET", "NOTES"), rows)
    else:
        click.echo("the router routes nothing yet")


@click.command(cls=BerthCommand)
@click.option("--confirm", is_flag=True, help="Yes, stop answering every stack.")
@click.pass_obj
def down(invocation: Invocation, confirm: bool) -> None:
    """Stop router and edge: no stack answers until `gateway up`."""
    if not confirm:
        raise UserError(
            "this stops every stack of this server from answering",
            next_command="berth gateway down --confirm",
        )
    invocation.run(take_down_gateway)
    if invocation.is_json:
        print_json({"is_router_up": False, "is_edge_up": False})
    else:
        click.echo("the gateway is down; bring it up again: berth gateway up")


def _routes(table: RouteTable) -> list[tuple[str, ...]]:
    servers = {item.slot: ", ".join(item.servers) for item in table.backends}
    claimed = {(claim.entrypoint, claim.host) for claim in table.hosts}
    rows: list[tuple[str, ...]] = []
    for claim in table.hosts:
        release = table.live.get(claim.stack, "")
        found = [item for item in table.prefixes if item.release == release]
        notes = "maintenance" if claim.stack in table.maintenance else ""
        answers = [
            (host, item)
            for host in named_hosts(found, [claim.host])
            if host == claim.host or (claim.entrypoint, host) not in claimed
            for item in reachable(found, host)
        ]
        for host, item in answers:
            target = f"site {item.site}" if item.site else servers.get(item.backend or 0, "empty")
            rows.append((claim.entrypoint, host, item.path, release, target, notes))
        if not answers:
            rows.append((claim.entrypoint, claim.host, "-", release or "nothing", "-", notes))
    return rows


def _print_status(found: GatewayStatus) -> None:
    rows = [
        ("router", "up" if found.is_router_up else "down", found.router_version or "-"),
        ("edge", _edge_state(found), found.edge_version or "-"),
    ]
    if found.is_ask_up is not None:
        rows.append(("ask responder", "up" if found.is_ask_up else "down", "-"))
    for item in found.entrypoints:
        target = f"redirects to {item.redirect_to}" if item.redirect_to else f"tls {item.tls}"
        ports = " and ".join(str(port) for port in item.ports)
        rows.append((f"entrypoint {item.name}", f"port {ports}", target))
    print_table(("PART", "IS", "DETAIL"), rows, coloured=1)
    for line in found.differences:
        click.echo(paint(f"  differs: {line}", "yellow"))
    if not found.is_router_up or found.differences:
        click.echo("  next: berth gateway up", err=True)


def _edge_state(found: GatewayStatus) -> str:
    if found.is_edge_up:
        return "up"
    is_needed = any(item.tls != "off" for item in found.entrypoints)
    return "down" if is_needed else "not needed"


def _status_json(found: GatewayStatus) -> dict[str, Any]:
    return {
        "is_router_up": found.is_router_up,
        "is_edge_up": found.is_edge_up,
        "is_ask_up": found.is_ask_up,
        "router_version": found.router_version,
        "edge_version": found.edge_version,
        "differences": found.differences,
        "entrypoints": [
            {"name": item.name, "port": item.port, "ports": item.ports, "tls": item.tls}
            for item in found.entrypoints
        ],
    }
