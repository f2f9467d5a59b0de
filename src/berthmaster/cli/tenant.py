"""`berth tenant`: customers with a stack of their own, from one command to the next."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from berthmaster.cli.confirming import confirm_name
from berthmaster.cli.files import FileHere, FileThere
from berthmaster.cli.group import LazyGroup
from berthmaster.cli.housekeeping import changing
from berthmaster.cli.invocation import BerthCommand, Invocation, complete_stacks
from berthmaster.cli.output import age, paint, print_json, print_table
from berthmaster.domain.errors import NotFound, UserError
from berthmaster.domain.names import StackId, check_line, check_name, parse_stack

if TYPE_CHECKING:
    from berthmaster.ports.outside import Outside
    from berthmaster.services.tenants.add import Added, NewTenant
    from berthmaster.services.tenants.look import TenantLine
    from berthmaster.services.tenants.remove import Removed

_HERE: Final = "berthmaster.cli.tenant"
_MANY: Final = "berthmaster.cli.tenants"
_MOVING: Final = "berthmaster.cli.moving"
_MEGABYTE: Final = 1_000_000
_STREAM: Final = Path("-")  # instead of a file
_EXPIRES: Final = re.compile(r"(\d{1,4})d\Z")


@click.group(
    cls=LazyGroup,
    sections={
        "Customers": {
            "add": f"{_MANY}:add",
            "list": f"{_HERE}:list_",
            "show": f"{_HERE}:show",
            "move": f"{_MOVING}:move",
            "suspend": f"{_HERE}:suspend",
            "unsuspend": f"{_HERE}:unsuspend",
            "set": "berthmaster.cli.amending:set_",
            "pin": f"{_HERE}:pin",
            "unpin": f"{_HERE}:unpin",
            "label": f"{_HERE}:label",
        },
        "Their end": {
            "remove": f"{_HERE}:remove",
            "restore": f"{_HERE}:restore",
            "forget": f"{_HERE}:forget",
            "export": f"{_HERE}:export",
            "import": f"{_HERE}:import_",
        },
    },
)
def tenant() -> None:
    """Customers with a stack of their own."""


tenant_argument = click.argument(
    "stack", metavar="[APP@]ENV/TENANT", shell_complete=complete_stacks
)


def declared_tenant(invocation: Invocation, text: str) -> StackId:
    """A tenant's address; the app is the one of this folder when it is not named."""
    app = None
    if "@" not in text:
        app = app_here(invocation) or _only_app(invocation, text)
    found = parse_stack(text, default_app=app)
    if found.tenant is None:
        raise UserError(f"{text} names no tenant: write {text}/TENANT")
    return found


def app_here(invocation: Invocation) -> str | None:
    """The app of this folder's berth.yaml."""
    if not (invocation.folder / "berth.yaml").is_file():
        return None
    return invocation.outside.specs.outline(invocation.folder.resolve()).app


def _only_app(invocation: Invocation, text: str) -> str | None:
    fitting = {
        item.stack.app
        for item in invocation.outside.store.tenants()
        if str(item.stack).partition("@")[2] == text
    }
    return fitting.pop() if len(fitting) == 1 else None


def folder_of(invocation: Invocation, stack: StackId) -> "Path":
    """Where the app's files are: here, or where this or another of its stacks came from."""
    try:
        return invocation.folder_of(stack)
    except NotFound:
        for record in invocation.outside.store.stacks():
            if (record.id.app, record.id.environment) == (stack.app, stack.environment):
                return invocation.folder_of(record.id)
        raise


def parse_pairs(option: str, pairs: tuple[str, ...]) -> dict[str, str]:
    """Read `NAME=VALUE` pairs; raises `UserError`."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"{option} wants NAME=VALUE, not {pair!r}")
        found[check_name("variable", name)] = value
    return found


def parse_expiry(text: str | None) -> datetime | None:
    """Read `14d` or `2026-12-31`; raises `UserError`."""
    if not text:
        return None
    if match := _EXPIRES.match(text):
        return datetime.now(UTC) + timedelta(days=int(match.group(1)))
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise UserError(f"--expires wants 14d or 2026-12-31, not {text!r}") from None


def added_json(done: "Added") -> dict[str, Any]:
    """What came of one addition."""
    return {
        "tenant": str(done.stack),
        "release": done.release,
        "hosts": done.hosts,
        "is_new": done.outcome is not None,
        "seconds": round(done.seconds, 3),
    }


def print_added(done: "Added", word: str = "serves") -> None:
    """`shop@prod/acme  serves https://acme.example.com  (r1, 2 secrets made, 6.1 s)`."""
    head = paint(f"{done.stack}  {word}", "green", bold=True)
    hosts = ", ".join(done.hosts)
    if done.outcome is None:
        click.echo(f"{done.stack}  is there already  (r{done.release}, {hosts})")
        return
    made = f", {done.secret_count} secrets made" if done.secret_count else ""
    click.echo(f"{head}  {hosts}  (r{done.release}{made}, {done.seconds:.1f} s)")


@click.command("list", cls=BerthCommand)
@click.argument("environment", metavar="[[APP@]ENV]", required=False)
@click.option("--sizes", is_flag=True, help="Ask for disk and memory too: takes longer.")
@click.option("--all", "is_all", is_flag=True, help="Removed ones too.")
@click.pass_obj
def list_(invocation: Invocation, environment: str | None, sizes: bool, is_all: bool) -> None:
    """List tenants with health, release and domain."""
    from berthmaster.services.tenants.look import list_tenants

    app, env = _scope(invocation, environment)
    found = invocation.run(
        lambda world: list_tenants(world, app, env, with_removed=is_all, with_sizes=sizes)
    )
    if invocation.is_json:
        print_json({"tenants": [_line_json(line) for line in found]})
        return
    if not found:
        click.echo("no tenants yet: berth tenant add ENV/NAME")
        return
    head = ("TENANT", "STATE", "RELEASE", "TAG", "AGE", "DOMAIN", *_size_head(sizes), "NOTES")
    print_table(head, [_row(line, sizes) for line in found], coloured=1)


def _scope(invocation: Invocation, text: str | None) -> tuple[str | None, str | None]:
    """App and environment that a list is about; neither given: all."""
    if text is None:
        return app_here(invocation), None
    named, at, environment = text.rpartition("@")
    app = check_name("app", named) if at else app_here(invocation)
    invocation.check_environment(app, check_name("environment", environment))
    return app, environment


def _size_head(sizes: bool) -> tuple[str, ...]:
    return ("DISK", "MEMORY") if sizes else ()


def _row(line: "TenantLine", sizes: bool) -> tuple[str, ...]:
    status = line.status
    release = f"r{status.release}" if status and status.release else "-"
    tag = (status.tag if status else None) or "-"
    taken = (_size(line.disk_bytes), _size(line.memory_bytes)) if sizes else ()
    host = line.hosts[0] if line.hosts else "-"
    return (
        str(line.tenant.stack),
        line.state,
        release,
        tag,
        age(line.tenant.created_at),
        host,
        *taken,
        "; ".join(_notes(line)),
    )


def _notes(line: "TenantLine") -> list[str]:
    tenant, status = line.tenant, line.status
    notes = list(line.alerts.values())
    notes += [f"pinned: {tenant.pinned}"] if tenant.pinned else []
    notes += [f"until {tenant.expires_at:%Y-%m-%d}"] if tenant.expires_at else []
    notes += [f"backup {tenant.backup}"] if tenant.backup and tenant.removed_at else []
    notes += [f"unfinished: {status.unfinished}"] if status and status.unfinished else []
    return notes


def _size(count: int | None) -> str:
    return "-" if count is None else f"{count / _MEGABYTE:.0f} MB"


def _line_json(line: "TenantLine") -> dict[str, Any]:
    tenant, status = line.tenant, line.status
    return {
        "tenant": str(tenant.stack),
        "state": line.state,
        "release": status.release if status else None,
        "tag": status.tag if status else tenant.tag,
        "hosts": line.hosts,
        "size": tenant.size,
        "values": dict(tenant.values),
        "labels": dict(tenant.labels),
        "pinned": tenant.pinned,
        "created_at": tenant.created_at,
        "created_by": tenant.created_by,
        "expires_at": tenant.expires_at,
        "removed_at": tenant.removed_at,
        "backup": tenant.backup,
        "alerts": dict(line.alerts),
        "disk_bytes": line.disk_bytes,
        "memory_bytes": line.memory_bytes,
    }


@click.command(cls=BerthCommand)
@tenant_argument
@click.pass_obj
def show(invocation: Invocation, stack: str) -> None:
    """Show one tenant: all of its hosts and values, disk and memory."""
    from berthmaster.services.tenants.look import show_tenant

    wanted = declared_tenant(invocation, stack)
    line = invocation.run(lambda outside: show_tenant(outside, wanted))
    if invocation.is_json:
        print_json(_line_json(line))
        return
    known, status = line.tenant, line.status
    facts = [
        ("state", line.state),
        ("release", f"r{status.release} {status.tag or ''}" if status and status.release else "-"),
        ("hosts", ", ".join(line.hosts) or "-"),
        ("size", known.size or "-"),
        ("values", ", ".join(f"{key}={value}" for key, value in known.values.items()) or "-"),
        ("labels", ", ".join(f"{key}={value}" for key, value in known.labels.items()) or "-"),
        ("disk", _size(line.disk_bytes)),
        ("memory", _size(line.memory_bytes)),
        ("added", f"{known.created_at:%Y-%m-%d %H:%M} UTC by {known.created_by}"),
    ]
    facts += [("notes", "; ".join(_notes(line)))] if _notes(line) else []
    click.echo(paint(str(known.stack), None, bold=True))
    for name, value in facts:
        click.echo(f"  {name:<8} {value}")


@click.command(cls=BerthCommand)
@tenant_argument
@click.pass_obj
def suspend(invocation: Invocation, stack: str) -> None:
    """Close a tenant, and keep its data.

    Visitors get the 503 page, its containers stop.
    """
    from berthmaster.services.tenants.close import suspend as close

    wanted = declared_tenant(invocation, stack)
    outcome = changing(invocation, lambda world: close(world, wanted, invocation.progress))
    _print_state(invocation, wanted, outcome.deployment, "suspended", "its data is kept")


@click.command(cls=BerthCommand)
@tenant_argument
@click.pass_obj
def unsuspend(invocation: Invocation, stack: str) -> None:
    """Open a suspended tenant again."""
    from berthmaster.services.tenants.close import unsuspend as reopen

    wanted = declared_tenant(invocation, stack)
    outcome = changing(invocation, lambda world: reopen(world, wanted, invocation.progress))
    _print_state(invocation, wanted, outcome.deployment, "active", "it serves again")


def _print_state(
    invocation: Invocation, stack: StackId, deployment: str | None, state: str, told: str
) -> None:
    if invocation.is_json:
        print_json({"tenant": str(stack), "state": state, "deployment": deployment})
    else:
        click.echo(f"{stack}  is {state}: {told}")


@click.command(cls=BerthCommand)
@tenant_argument
@click.option("--because", metavar="WHY", required=True, help="Reason, shown in every rollout.")
@click.pass_obj
def pin(invocation: Invocation, stack: str, because: str) -> None:
    """Let rollouts leave a tenant where it is."""
    from berthmaster.services.tenants.change import pin as pin_tenant

    wanted = declared_tenant(invocation, stack)
    pin_tenant(invocation.outside, wanted, check_line("--because", because))
    _print_state(invocation, wanted, None, "pinned", because)


@click.command(cls=BerthCommand)
@tenant_argument
@click.pass_obj
def unpin(invocation: Invocation, stack: str) -> None:
    """Let rollouts take a tenant along again."""
    from berthmaster.services.tenants.change import pin as pin_tenant

    wanted = declared_tenant(invocation, stack)
    pin_tenant(invocation.outside, wanted, None)
    _print_state(invocation, wanted, None, "not pinned", "the next rollout takes it along")


@click.command(cls=BerthCommand)
@tenant_argument
@click.argument("labels", metavar="NAME=VALUE...", nargs=-1, required=True)
@click.pass_obj
def label(invocation: Invocation, stack: str, labels: tuple[str, ...]) -> None:
    """Give a tenant labels.

    An empty value takes one away. Those with the label `canary` go first in a rollout.
    """
    from berthmaster.services.tenants.change import relabel

    wanted = declared_tenant(invocation, stack)
    found = relabel(invocation.outside, wanted, parse_pairs("label", labels))
    if invocation.is_json:
        print_json({"tenant": str(wanted), "labels": dict(found.labels)})
    else:
        shown = ", ".join(f"{key}={value}" for key, value in found.labels.items()) or "none"
        click.echo(f"{wanted}  labels: {shown}")


@click.command(cls=BerthCommand)
@tenant_argument
@click.option("--confirm", metavar="NAME", help="The tenant's name, instead of being asked for it.")
@click.pass_obj
def remove(invocation: Invocation, stack: str, confirm: str | None) -> None:
    """Back a tenant up and end it; `restore` brings it back.

    Its names and addresses are free at once. A tombstone keeps its secrets, the backup, and volumes
    that no database dump holds.
    """
    from berthmaster.services.tenants.remove import plan_removal, remove_tenant

    wanted = declared_tenant(invocation, stack)
    if confirm is None and not invocation.is_json:
        from berthmaster.planner.text import render_plan

        plan = invocation.run(lambda world: plan_removal(world, wanted))
        click.echo(render_plan(plan), err=True)
    confirm_name(
        invocation,
        str(wanted),
        confirm,
        "This ends it; a backup is kept until it is forgotten",
        "berth tenant remove",
    )

    async def work(outside: "Outside") -> "Removed":
        return await remove_tenant(outside, wanted, invocation.progress)

    done = changing(invocation, work)
    if invocation.is_json:
        print_json({"tenant": str(wanted), "backup": done.backup, "deployment": done.deployment})
        return
    kept = f"backup {done.backup}" if done.backup else "it had no data to back up"
    click.echo(f"{wanted}  is gone; {kept}")
    if done.backup:
        click.echo(f"  bring it back: berth tenant restore {wanted}")


@click.command(cls=BerthCommand)
@tenant_argument
@click.option("--tag", metavar="T", help="Another version than the one it ran.")
@click.pass_obj
def restore(invocation: Invocation, stack: str, tag: str | None) -> None:
    """Make a removed tenant anew and put its data back."""
    from berthmaster.services.tenants.remove import restore_tenant

    wanted = _new(invocation, stack, tag, "berth tenant restore")
    done = changing(invocation, lambda world: restore_tenant(world, wanted, invocation.progress))
    if invocation.is_json:
        print_json(added_json(done))
    else:
        print_added(done, "is back at")


def _new(invocation: Invocation, stack: str, tag: str | None, command: str) -> "NewTenant":
    from berthmaster.services.tenants.add import NewTenant

    found = declared_tenant(invocation, stack)
    checked = None if tag is None else check_name("tag", tag)
    return NewTenant(found, folder_of(invocation, found), checked, command=command)


@click.command(cls=BerthCommand)
@tenant_argument
@click.option("--confirm", metavar="NAME", help="The tenant's name, instead of being asked for it.")
@click.pass_obj
def forget(invocation: Invocation, stack: str, confirm: str | None) -> None:
    """Remove what a removed tenant left.

    Its backup and secrets too: nothing brings it back.
    """
    from berthmaster.services.tenants.remove import forget_tenant

    wanted = declared_tenant(invocation, stack)
    confirm_name(
        invocation,
        str(wanted),
        confirm,
        "This removes its backup and secrets, for good",
        "berth tenant forget",
    )
    told = changing(invocation, lambda world: forget_tenant(world, wanted, invocation.progress))
    if invocation.is_json:
        print_json({"tenant": str(wanted), "removed": told})
    else:
        for line in told:
            click.echo(f"removed   {line}")
        click.echo(f"{wanted}  is forgotten")


@click.command(cls=BerthCommand)
@tenant_argument
@click.argument("file", type=FileThere())
@click.option("--suspend", "closes", is_flag=True, help="Close it first, and leave it so.")
@click.pass_obj
def export(invocation: Invocation, stack: str, file: Path, closes: bool) -> None:
    """Write a tenant with its data to a file.

    Only you can read it, and the tenant serves meanwhile unless --suspend is given. Its secrets are
    in it, in the open. With - it is written to standard output.
    """
    import sys

    from berthmaster.services.tenants.parcel import export_tenant

    wanted = declared_tenant(invocation, stack)
    if file == _STREAM and sys.stdout.isatty():
        raise UserError(
            "a terminal is no place for it: its secrets would stand there",
            next_command=f"berth tenant export {wanted} FILE",
        )
    target = sys.stdout.buffer if file == _STREAM else file.absolute()

    async def work(outside: "Outside") -> int:
        return await export_tenant(outside, wanted, target, invocation.progress, closes=closes)

    found = changing(invocation, work)
    if file == _STREAM:
        return
    if invocation.is_json:
        print_json({"tenant": str(wanted), "file": str(file), "bytes": found})
    else:
        click.echo(f"{wanted}  written to {file} ({found / _MEGABYTE:.1f} MB), secrets included")


@click.command("import", cls=BerthCommand)
@click.argument("file", type=FileHere())
@click.option("--tag", metavar="T", help="Another version than the one it ran.")
@click.pass_obj
def import_(invocation: Invocation, file: Path, tag: str | None) -> None:
    """Make a tenant out of an exported file.

    On this server or another one; its name and hosts must be free. With - it is read from standard
    input.
    """
    import sys

    from berthmaster.services.tenants.parcel import import_tenant

    source = sys.stdin.buffer if file == _STREAM else file.absolute()
    checked = None if tag is None else check_name("tag", tag)

    async def work(outside: "Outside") -> "Added":
        return await import_tenant(
            outside,
            source,
            lambda stack: folder_of(invocation, stack),
            invocation.progress,
            checked,
        )

    done = changing(invocation, work)
    if invocation.is_json:
        print_json(added_json(done))
    else:
        print_added(done, "is here and serves")
