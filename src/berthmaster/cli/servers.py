"""`berth server add` and its neighbours: the servers that a person works on from here."""

import os
import pwd
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

import berthmaster
from berthmaster.cli.invocation import BerthCommand, Invocation
from berthmaster.cli.output import print_json, print_table
from berthmaster.domain.elsewhere import EVERY, Allowance, ServerEntry, check_server, is_newer
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
    ask = bootstrap.reach if no_install else bootstrap.probe
    facts = _confirming(ssh, catalogue, entry, host_key, ask)
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
        facts = bootstrap.probe(ssh, entry)
        _refuse_older(entry, facts)
        done += _install(ssh, entry, facts)
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


def _refuse_older(entry: ServerEntry, facts: dict[str, Any]) -> None:
    """A store that a newer version wrote is not given to an older one."""
    there = facts["berth"]
    if there is not None and is_newer(there, berthmaster.__version__):
        raise UserError(
            f"{entry.name} has a newer Berthmaster: {there} there,"
            f" {berthmaster.__version__} here; nothing was changed",
            next_command=f"install berthmaster {there} here",
        )


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


def _confirming(
    ssh: "SystemSsh",
    catalogue: "Catalogue",
    entry: ServerEntry,
    wanted: str | None,
    ask: "Callable[[SystemSsh, ServerEntry], dict[str, Any]]",
) -> dict[str, Any]:
    """Ask the server; when its host key is new, have it confirmed and kept first."""
    from berthmaster.adapters.ssh import hostkeys
    from berthmaster.adapters.ssh.errors import HostKeyUnknown

    try:
        return ask(ssh, entry)
    except HostKeyUnknown:
        keys = hostkeys.scan(ssh, entry)
        hostkeys.keep(catalogue.known_hosts, _confirmed(entry, keys, wanted))
        return ask(ssh, entry)


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


@click.command(cls=BerthCommand)
@click.argument("key", metavar="KEY|FILE.pub")
@click.option("--name", required=True, help="Who uses it; recorded with what it does.")
@click.option("--only", metavar="COMMANDS", help="What it may run: deploy,status,check.")
@click.option("--env", "environments", metavar="ENVS", help="For these environments only.")
@click.option("--overrides", is_flag=True, help="Also what berth.yaml allows beyond the policy.")
@click.option("--user", metavar="USER", help="Account that it logs in to; by default this one.")
@click.option("--print", "is_print", is_flag=True, help="Print the line and write nothing.")
@click.pass_obj
def authorize(  # noqa: PLR0913 - one parameter for each option
    invocation: Invocation,
    key: str,
    name: str,
    only: str | None,
    environments: str | None,
    overrides: bool,
    user: str | None,
    is_print: bool,
) -> None:
    """Let a key run this program here, and nothing else.

    Writes one line with a forced command into authorized_keys: no shell, no forwarding, no files.
    Over ssh give the key itself: berth -S web1 server authorize "$(cat ci.pub)" --name ci.
    """
    from berthmaster.adapters.ssh.authorized import authorize as write_line
    from berthmaster.domain.elsewhere import authorized_line, check_key_name, parse_public_key

    public = parse_public_key(_text_of(key))
    commands, there = _commands(only), _environments(environments)
    allowance = Allowance(check_key_name(name), commands, there, overrides)
    home, is_root = _home(user)
    program = str(Path(sys.argv[0]).absolute()) if Path(sys.argv[0]).name == "berth" else "berth"
    line = authorized_line(public, allowance, program if is_root else f"sudo -n {program}")
    if is_print:
        click.echo(line)
        return
    path = home / ".ssh/authorized_keys"
    is_new = write_line(path, line, public)
    may = ", ".join(sorted(commands)) or "every command"
    where = f" in {', '.join(sorted(there))}" if there else ""
    told = f"the key {name} may run {may}{where}" + ("" if is_new else ", as before")
    _say(invocation, [told, f"  in {path}"])


def _text_of(key: str) -> str:
    if " " in key:
        return key
    try:
        return Path(key).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{key}: no such file with a public key") from error


def _commands(text: str | None) -> frozenset[str]:
    """Names of commands, each of which exists and may be asked for from afar."""
    from berthmaster.cli.serve import command_path, stays_home

    names = frozenset(part.strip() for part in (text or "").split(",") if part.strip())
    for name in names:
        try:
            is_known = command_path(name.split()) == name
        except click.ClickException:
            is_known = False
        if not is_known or stays_home(name):
            raise UserError(f"--only: {name!r} is no command that a server can be asked for")
    return names


def _environments(text: str | None) -> frozenset[str]:
    from berthmaster.domain.names import check_name

    parts = (part.strip() for part in (text or "").split(","))
    return frozenset(check_name("environment", part) for part in parts if part)


def _home(user: str | None) -> tuple[Path, bool]:
    """Home of the account, and whether it is root's."""
    try:
        found = pwd.getpwnam(user) if user else pwd.getpwuid(os.getuid())
    except KeyError as error:
        raise NotFound(f"there is no user {user!r} here") from error
    return Path(found.pw_dir), found.pw_uid == 0
