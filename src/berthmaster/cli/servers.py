"""`berth server add` and its neighbours: the servers that a person works on from here."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

import berthmaster
from berthmaster.cli.invocation import BerthCommand, Invocation
from berthmaster.cli.output import print_json, print_table
from berthmaster.domain.elsewhere import EVERY, ServerEntry, check_server
from berthmaster.domain.errors import BerthmasterError, NotFound, OutsideError, UserError

if TYPE_CHECKING:
    from berthmaster.adapters.ssh.catalogue import Catalogue
    from berthmaster.adapters.ssh.system import SystemSsh

AT_ONCE: Final = 4


@click.command(cls=BerthCommand)
@click.argument("name")
@click.argument("address", metavar="[USER@]HOST[:PORT]")
@click.option("--sudo", "is_sudo", is_flag=True, help="Run it with `sudo -n` there.")
@click.option("--host-key", metavar="SHA256:...", help="The fingerprint that the server must show.")
@click.option("--no-install", is_flag=True, help="Only note it down; install nothing there.")
@click.pass_obj
def add(
    invocation: Invocation,
    name: str,
    address: str,
    is_sudo: bool,
    host_key: str | None,
    no_install: bool,
) -> None:
    """Put Berthmaster on a server and know it by name.

    Its host key must be known to ssh, be given with --host-key, or be confirmed at the terminal.
    Berthmaster goes into a folder of its own there, /opt/berthmaster; when something is missing, it
    is named and nothing is changed.
    """
    from berthmaster import bootstrap
    from berthmaster.adapters.ssh.catalogue import write_catalogue

    entry = ServerEntry(check_server(name), address, is_sudo)
    catalogue = bootstrap.read_servers()
    ssh = bootstrap.build_ssh(catalogue)
    facts = _probe_confirming(ssh, catalogue, entry, host_key)
    done = [] if no_install else _install(ssh, entry, facts)
    servers = {**catalogue.servers, name: entry}
    write_catalogue(replace(catalogue, servers=servers))
    if not no_install:
        done += _prepare(ssh, entry)
    _say(invocation, done or [f"{name} is noted down in {catalogue.path}"])
    if not invocation.is_json:
        click.echo(f"  next: berth -S {name} gateway up, berth -S {name} deploy ENV", err=True)


@click.command("list", cls=BerthCommand)
@click.pass_obj
def list_(invocation: Invocation) -> None:
    """List the servers that are known here; asks none of them."""
    from berthmaster import bootstrap

    found = sorted(bootstrap.read_servers().servers.values(), key=lambda item: item.name)
    if invocation.is_json:
        rows = [{"name": one.name, "address": one.address, "sudo": one.is_sudo} for one in found]
        print_json({"servers": rows})
    elif not found:
        click.echo("no server is known: berth server add NAME ADDRESS")
    else:
        rows_ = [(one.name, one.address, "sudo" if one.is_sudo else "") for one in found]
        print_table(("SERVER", "ADDRESS", "AS"), rows_)


@click.command(cls=BerthCommand)
@click.argument("name", default=EVERY, metavar="[NAME|all]")
@click.pass_context
def check(context: click.Context, name: str) -> None:
    """Ask servers what they have: berth, Python, Docker, Compose."""
    from berthmaster import bootstrap

    invocation = context.find_object(Invocation) or Invocation()
    catalogue = bootstrap.read_servers()
    ssh = bootstrap.build_ssh(catalogue)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda one: _checked(ssh, one), _chosen(catalogue, name)))
    if invocation.is_json:
        print_json({"here": berthmaster.__version__, "servers": found})
    else:
        head = ("SERVER", "STATE", "BERTH", "PYTHON", "ENGINE", "COMPOSE", "WHAT TO DO")
        print_table(head, [_row(one) for one in found], coloured=1)
    context.exit(max(int(one["exit_code"]) for one in found))


@click.command(cls=BerthCommand)
@click.argument("name", metavar="NAME|all")
@click.pass_obj
def upgrade(invocation: Invocation, name: str) -> None:
    """Give servers the Berthmaster of this machine.

    Installed beside the one that is there, tried, and only then used; deployments that run go on.
    """
    from berthmaster import bootstrap

    catalogue = bootstrap.read_servers()
    ssh = bootstrap.build_ssh(catalogue)
    done: list[str] = []
    for entry in _chosen(catalogue, name):
        done += _install(ssh, entry, bootstrap.probe(ssh, entry))
        done += _prepare(ssh, entry)
    _say(invocation, done)


@click.command(cls=BerthCommand)
@click.argument("name")
@click.pass_obj
def remove(invocation: Invocation, name: str) -> None:
    """Forget a server here; on the server nothing changes."""
    from berthmaster import bootstrap
    from berthmaster.adapters.ssh.catalogue import write_catalogue

    catalogue = bootstrap.read_servers()
    (entry,) = _chosen(catalogue, check_server(name))
    rest = {key: one for key, one in catalogue.servers.items() if key != entry.name}
    write_catalogue(replace(catalogue, servers=rest))
    _say(invocation, [f"{name} is forgotten; what runs there goes on"])


def _say(invocation: Invocation, done: Sequence[str]) -> None:
    if invocation.is_json:
        print_json({"done": done})
    else:
        click.echo("\n".join(done))


def _chosen(catalogue: "Catalogue", name: str) -> list[ServerEntry]:
    if name == EVERY:
        found = [catalogue.servers[key] for key in sorted(catalogue.servers)]
    else:
        found = [catalogue.servers[name]] if name in catalogue.servers else []
    if not found:
        known = ", ".join(sorted(catalogue.servers)) or "none"
        raise NotFound(
            f"no server {name!r} is known here; known: {known}",
            next_command="berth server add NAME ADDRESS",
        )
    return found


def _probe_confirming(
    ssh: "SystemSsh", catalogue: "Catalogue", entry: ServerEntry, wanted: str | None
) -> dict[str, Any]:
    """Ask the server; when its host key is new, have it confirmed and kept first."""
    from berthmaster import bootstrap
    from berthmaster.adapters.ssh import hostkeys
    from berthmaster.adapters.ssh.errors import HostKeyUnknown

    try:
        return bootstrap.probe(ssh, entry)
    except HostKeyUnknown:
        keys = hostkeys.scan(ssh, entry)
        hostkeys.keep(catalogue.known_hosts, _confirmed(entry, keys, wanted))
        return bootstrap.probe(ssh, entry)


def _confirmed(entry: ServerEntry, keys: Sequence[Any], wanted: str | None) -> Any:
    if wanted is not None:
        for key in keys:
            if key.fingerprint == wanted:
                return key
        shown = ", ".join(key.fingerprint for key in keys)
        raise OutsideError(
            f"{entry.name} shows another host key than {wanted}: {shown}; nothing was done",
            subject=entry.name,
        )
    (key, *_) = [one for one in keys if one.kind == "ED25519"] or keys
    click.echo(f"{entry.name} shows the host key {key.fingerprint} ({key.kind})", err=True)
    if not sys.stdin.isatty():
        raise UserError(
            f"nobody has confirmed the host key of {entry.name}; compare it with what"
            " `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints there",
            next_command=f"berth server add {entry.name} {entry.address}"
            f" --host-key {key.fingerprint}",
        )
    click.confirm("Is that what the server's owner says?", abort=True, err=True)
    return key


def _install(ssh: "SystemSsh", entry: ServerEntry, facts: dict[str, Any]) -> list[str]:
    from berthmaster.adapters.ssh import installing

    lacking = installing.missing(facts)
    if lacking:
        lines = "\n".join(f"{what}: {remedy}" for what, remedy in lacking)
        raise OutsideError(
            f"{entry.name} lacks something; nothing was changed\n{lines}", subject=entry.name
        )
    place = installing.install(ssh, entry, facts, lambda text: click.echo(f"  {text}", err=True))
    return [f"{entry.name}: berth {berthmaster.__version__} is installed in {place}"]


def _prepare(ssh: "SystemSsh", entry: ServerEntry) -> list[str]:
    """Folders, store, firewall and timer there; what it says."""
    from berthmaster.adapters.ssh.asking import Asked, ask
    from berthmaster.domain.elsewhere import Request

    out, err = bytearray(), bytearray()
    request = Request(berthmaster.__version__, ("server", "prepare"), "server-add")
    asked = Asked(request, out=out.extend, err=err.extend, is_watched=False)
    code = ask(ssh, entry, asked)
    if code:
        said = err.decode(errors="replace").strip()
        raise OutsideError(f"{entry.name}: it is installed, but: {said}", subject=entry.name)
    return [f"{entry.name}: {line}" for line in out.decode(errors="replace").splitlines()]


def _checked(ssh: "SystemSsh", entry: ServerEntry) -> dict[str, Any]:
    """One server's facts, with a verdict and an exit code."""
    from berthmaster import bootstrap
    from berthmaster.adapters.ssh import installing

    try:
        facts = bootstrap.probe(ssh, entry)
    except BerthmasterError as error:
        remedy = error.next_command or ""
        told = f"{error.message}; {remedy}" if remedy else error.message
        return {"name": entry.name, "state": "down", "to_do": told, "exit_code": error.exit_code}
    told, state, code = "", "ok", 0
    if lacking := installing.missing(facts):
        told = "; ".join(f"{what}: {remedy}" for what, remedy in lacking)
        state, code = "degraded", OutsideError.exit_code
    elif facts["berth"] is None:
        told, state, code = f"berth server upgrade {entry.name}", "empty", 2
    elif facts["berth"] != berthmaster.__version__:
        told, state = f"berth server upgrade {entry.name}, or upgrade this machine", "note"
    named = {key: facts[key] for key in ("berth", "python", "engine", "compose")}
    return {"name": entry.name, "state": state, **named, "to_do": told, "exit_code": code}


def _row(found: dict[str, Any]) -> tuple[str, ...]:
    keys = ("name", "state", "berth", "python", "engine", "compose", "to_do")
    return tuple(str(found.get(key) or "-") if key != "to_do" else found[key] for key in keys)
