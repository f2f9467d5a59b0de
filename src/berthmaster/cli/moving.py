"""`berth tenant move`, typed where both servers are known; and on which of them a tenant goes."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from berthmaster.cli.invocation import FILE, BerthCommand, Invocation
from berthmaster.cli.output import paint, print_json
from berthmaster.cli.tenant import tenant_argument
from berthmaster.domain.elsewhere import HERE
from berthmaster.domain.errors import NotFound, OutsideError, UserError
from berthmaster.domain.names import parse_stack
from berthmaster.ports.servers import Said

if TYPE_CHECKING:
    from berthmaster.domain.spec import AppSpec
    from berthmaster.services.tenants.move import Found, Move

_MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class SshServers:
    """`ports.servers.Servers` over ssh; `local` is this machine."""

    invocation: Invocation

    def ask(
        self, server: str, *words: str, given: Path | None = None, taken: Path | None = None
    ) -> Said:
        """Run it there; what it says to a person goes to our own standard error."""
        handle = os.open(taken, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600) if taken else None
        out = bytearray()
        try:
            if server == HERE:
                code = self._here(words, given, handle, out)
            else:
                write = out.extend if handle is None else _writer(handle)
                code = self._there(server, words, given, write)
        finally:
            if handle is not None:
                os.close(handle)
        return Said(code, out.decode(errors="replace"))

    def _there(self, server: str, words: Sequence[str], given: Path | None, write: object) -> int:
        from berthmaster import bootstrap
        from berthmaster.cli.elsewhere import make_asked

        there = replace(self.invocation, arguments=tuple(words), server=server, files=())
        asked = make_asked(
            there, " ".join(words[:2]), server, out=write, is_watched=False, given=given
        )
        return bootstrap.ask(server, asked)

    def _here(
        self, words: Sequence[str], given: Path | None, handle: int | None, out: bytearray
    ) -> int:
        code = "import sys; from berthmaster.cli.main import main; sys.exit(main())"
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(given.open("rb")) if given else subprocess.DEVNULL
            done = subprocess.run(
                [sys.executable, "-c", code, "-C", str(self.invocation.folder), "-S", HERE, *words],
                stdin=source,
                stdout=subprocess.PIPE if handle is None else handle,
                check=False,
            )
        out += done.stdout or b""
        return done.returncode


def _writer(handle: int) -> object:
    def write(data: bytes) -> None:
        while data:
            data = data[os.write(handle, data) :]

    return write


@click.command(cls=BerthCommand)
@tenant_argument
@click.option("--from", "source", metavar="SERVER", help="Where it is; else as berth.yaml says.")
@click.option("--to", "target", metavar="SERVER", required=True, help="Where it shall be.")
@click.option("--plan", "is_plan", is_flag=True, help="Only say what would be done.")
@click.option("--finish", "is_finish", is_flag=True, help="Names lead there: remove the old one.")
@click.option("--confirm", metavar="NAME", help="With --finish: its name, instead of being asked.")
@click.pass_obj
def move(
    invocation: Invocation,
    stack: str,
    source: str | None,
    target: str,
    is_plan: bool,
    is_finish: bool,
    confirm: str | None,
) -> None:
    """Take a tenant to another server; both are known here.

    It is closed on the old one, and serves on the new one with all of its data; what DNS must say
    then is told. The old one stays closed until --finish. The same command again goes on where it
    was stopped.
    """
    from berthmaster.services.tenants import move as service

    wanted = _wanted(invocation, stack, source, target)
    servers = SshServers(invocation)
    found = service.find_move(servers, wanted)
    if is_finish:
        _confirm(invocation, wanted, confirm)
        found = service.finish(servers, found)
        _print_end(invocation, found)
        return
    if not invocation.is_json:
        _print_plan(found)
    if is_plan:
        _print_json_if(invocation, found, 0.0)
        return
    begin = time.monotonic()
    found = service.carry_over(servers, found, lambda text: click.echo(f"  {text}", err=True))
    seconds = time.monotonic() - begin
    _print_json_if(invocation, found, seconds)
    if not invocation.is_json:
        _print_dns(found, seconds)


def _wanted(invocation: Invocation, text: str, source: str | None, target: str) -> "Move":
    from berthmaster.services.tenants.move import Move

    spec = _spec_or_none(invocation)
    stack = parse_stack(text, default_app=spec.app if spec else None)
    if stack.tenant is None:
        raise UserError(f"{text} names no tenant: write {text}/TENANT")
    declared = spec.servers.get(stack.environment) if spec else None
    return Move(stack, source or declared or HERE, target)


def _spec_or_none(invocation: Invocation) -> "AppSpec | None":
    if not (invocation.folder / FILE).is_file():
        return None
    return invocation.outside.specs.read(invocation.folder.resolve())


def _print_plan(found: "Found") -> None:
    moved, old = found.move, found.old
    size = f", {old.disk_bytes / _MEGABYTE:.0f} MB on disk" if old and old.disk_bytes else ""
    click.echo(
        f"{moved.stack}  move {moved.source} -> {moved.target}  (it is {found.phase.value}{size})\n"
        f"  #1  {moved.source}  close it, dump its data    visitors get the 503 page from here on\n"
        f"  #2  {moved.target}  take it in, start, probe   same data, secrets, version and names\n"
        f"  #3  DNS  {', '.join(found.hosts) or '-'} -> {moved.target}\n"
        f"  #4  {moved.source}  stays closed until --finish, and can be opened again\n"
        "gap: from #1 until DNS leads to the new server; give its records a short TTL before",
        err=True,
    )


def _print_dns(found: "Found", seconds: float) -> None:
    moved = found.move
    click.echo(paint(f"{moved.stack}  serves on {moved.target}", "green", bold=True))
    click.echo(f"  {seconds:.1f} s; {moved.source} answers 503 for it until DNS leads away")
    for host in found.hosts:
        click.echo(f"  DNS: {host} must lead to {address_of(moved.target)}")
    command = f"berth tenant move {moved.stack} --from {moved.source} --to {moved.target} --finish"
    click.echo(f"  then: {command}")
    click.echo(
        f"  back: berth -S {moved.source} tenant unsuspend {moved.stack}, and remove it there"
    )


def address_of(server: str) -> str:
    """The address of a server as this person knows it, without its user."""
    from berthmaster import bootstrap

    if server == HERE:
        return "this server"
    address = bootstrap.read_servers().find(server).address.rpartition("@")[2]
    return address if address == server else f"{server} ({address})"


def _confirm(invocation: Invocation, wanted: "Move", confirm: str | None) -> None:
    from berthmaster.cli.confirming import confirm_name

    confirm_name(
        invocation,
        str(wanted.stack),
        confirm,
        f"This removes it from {wanted.source}, its backup there too",
        "berth tenant move",
    )


def _print_end(invocation: Invocation, found: "Found") -> None:
    _print_json_if(invocation, found, 0.0)
    if not invocation.is_json:
        click.echo(f"{found.move.stack}  is on {found.move.target} only")


def _print_json_if(invocation: Invocation, found: "Found", seconds: float) -> None:
    if invocation.is_json:
        print_json(
            {
                "tenant": str(found.move.stack),
                "from": found.move.source,
                "to": found.move.target,
                "phase": found.phase.value,
                "hosts": found.hosts,
                "seconds": round(seconds, 3),
            }
        )


def place_of(invocation: Invocation, text: str) -> str:
    """The server that `--server` means: its name, or the emptiest one with these labels."""
    from berthmaster import bootstrap

    spec = _spec_or_none(invocation)
    declared = spec.tenancy.servers if spec and spec.tenancy else {}
    if "=" not in text:
        if declared and text not in (*declared, HERE):
            raise NotFound(
                f"{FILE} has no server {text} for tenants; there are: {', '.join(sorted(declared))}"
            )
        if text != HERE and text not in (*declared, *bootstrap.read_servers().servers):
            raise NotFound(
                f"there is no server {text} here",
                next_command="berth server list; berth server add NAME ADDRESS",
            )
        return text
    labels = dict(part.partition("=")[::2] for part in text.split(","))
    fitting = [name for name, own in declared.items() if labels.items() <= own.items()]
    if not fitting:
        raise NotFound(
            f"no server of `tenancy.servers` has {text}",
            next_command=f"name it in {FILE}: tenancy: {{servers: {{web1: {{region: eu}}}}}}",
        )
    counted = [
        (count, name) for name in sorted(fitting) if (count := _count(invocation, name)) is not None
    ]
    if not counted:
        raise OutsideError(f"none of {', '.join(fitting)} answers", subject=fitting[0])
    count, name = min(counted)
    click.echo(f"  {name} has {text}, and {count} tenants", err=True)
    return name


def _count(invocation: Invocation, server: str) -> int | None:
    """Tenants on it; None when it does not answer."""
    try:
        said = SshServers(invocation).ask(server, "tenant", "list", "--json")
    except OutsideError as error:
        click.echo(f"berth: {error.message}", err=True)
        return None
    return len((said.value or {}).get("tenants", ())) if said.code == 0 else None
