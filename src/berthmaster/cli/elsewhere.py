"""`berth -S SERVER ...`, and `servers` of berth.yaml: the same command on another machine."""

import os
import re
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any, Final

import click

import berthmaster
from berthmaster.cli.files import SENT, files_here, with_names
from berthmaster.cli.invocation import FILE, Invocation
from berthmaster.cli.serve import stays_home
from berthmaster.domain.elsewhere import (
    EVERY,
    FOLLOWED_VARIABLES,
    HERE,
    Request,
    Streams,
    check_server,
)
from berthmaster.domain.errors import UserError

if TYPE_CHECKING:
    from berthmaster.adapters.berthfile.bundle import Bundle
    from berthmaster.adapters.ssh.asking import Asked
    from berthmaster.domain.spec import AppSpec

# What asks the server's own records only, by its first word; everything else may read the files of
# the folder, and they are sent.
RECORDED: Final = frozenset(
    [
        "status",
        "releases",
        "show",
        "logs",
        "exec",
        "run",
        "health",
        "rollback",
        "compose",
        "approve",
        "hold",
        "unhold",
        "reject",
        "continue",
        "unwind",
        "attach",
        "maintenance",
        "destroy",
        "gateway",
        "cert",
        "server",
        "tick",
    ]
)
# Images too, where no registry has them.
BRINGING: Final = frozenset({"check", "plan", "deploy", "rollout", "tenant add", "tenant restore"})
QUIET_SECONDS: Final = 0.5  # what is sent in less needs no words
WORTH_TELLING: Final = 1_000_000  # bytes
POURING: Final = "tenant import"  # with `-`: our input, as it is, to its end
LISTENING: Final = frozenset({"exec", "run", "server restore"})  # what is typed belongs to them


def run_elsewhere(invocation: Invocation, context: click.Context) -> int | None:
    """Run the command where `-S` or berth.yaml says; None when that is here."""
    command = context.command_path.partition(" ")[2]
    is_named = invocation.server not in (None, HERE)
    why = stays_home(command)
    if context.params.get("place"):
        _place(invocation, context)
        is_named = invocation.server not in (None, HERE)
    if why and is_named:
        raise UserError(f"`berth {command}` is not for another server: {why}")
    is_about_machine = command.startswith("server ") and not is_named
    if why or is_about_machine or invocation.server == HERE:
        return None
    invocation.files = tuple(files_here(context))
    names = _named(invocation) if is_named else _declared(invocation, context)
    if not names:
        return None
    if len(names) > 1 or invocation.server == EVERY:
        from berthmaster.cli.several import run_on_several

        return run_on_several(invocation, command, names)
    (name,) = names
    return run_on(invocation, command, name)


def _place(invocation: Invocation, context: click.Context) -> None:
    """`--server` of a new tenant: go where it says, as if that had been typed after `-S`."""
    from berthmaster.cli.moving import place_of

    if invocation.server is not None:
        raise UserError("-S and --server both name the server: leave one out")
    text = str(context.params["place"])
    words = list(invocation.arguments)
    for number, word in enumerate(words):
        if word == "--server":
            del words[number : number + 2]
            break
        if word.startswith("--server="):
            del words[number]
            break
    invocation.arguments = tuple(words)
    invocation.server = place_of(invocation, text)


def run_on(invocation: Invocation, command: str, name: str, **where: Any) -> int:
    """Run the command on one server; `where` says where its output goes, if not to ours."""
    from berthmaster import bootstrap

    asked = make_asked(invocation, command, name, **where)
    return bootstrap.ask(name, asked)


def make_asked(invocation: Invocation, command: str, name: str, **where: Any) -> "Asked":
    """The request, with the files that the command needs."""
    from berthmaster.adapters.ssh.asking import Asked
    from berthmaster.adapters.ssh.images import send_wanted

    has_file = (invocation.folder / FILE).is_file()
    is_reading = has_file and command.split(" ")[0] not in RECORDED
    spec = _spec(invocation) if is_reading else None
    found = _bundle(spec, name) if spec else None
    sent, names = _files_here(invocation)
    is_poured = command == POURING and "-" in invocation.arguments
    if is_poured and not where:
        where = {"told": _Sending(), "given": Path("/dev/stdin")}
    is_ours = "out" not in where
    streams = _streams(command) if is_ours else Streams()
    if where.get("given"):
        streams = replace(streams, stdin=False, is_input=True)
    request = Request(
        version=berthmaster.__version__,
        arguments=with_names(invocation.arguments, names),
        actor=_actor(),
        files=(*(found.files if found else ()), *sent.files),
        streams=streams,
        variables={key: os.environ[key] for key in FOLLOWED_VARIABLES if _is_plain(key)},
        facts=_facts(invocation, spec) if spec else {},
        app=spec.app if spec else _app_of(invocation.folder),
        brings_images=spec is not None and command in BRINGING and which("docker") is not None,
    )
    where = where or {"told": _Sending()}
    sources = {**(found.sources if found else {}), **sent.sources}
    return Asked(request, sources, images=send_wanted, **where)


def _files_here(invocation: Invocation) -> tuple["Bundle", dict[str, str]]:
    """What the command line names of this machine's files, and their names over there."""
    from berthmaster.adapters.berthfile.bundle import Bundle, single_file

    files, sources, names = [], {}, {}
    for number, path in enumerate(invocation.files):
        if not path.is_file():  # a pipe is read once, and a file that is sent is read twice
            raise UserError(f"{path} is no plain file, and only those are sent to a server")
        entry = single_file(path, f"{SENT}/{number}/{path.name}")
        files.append(entry)
        sources[entry.digest] = path
        names[str(path)] = entry.path
    return Bundle(tuple(files), sources), names


class _Sending:
    """Says what is being sent, when that takes its time: a line that moves, or one at the end."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty()
        self._begun = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Called for each piece."""
        is_end, is_slow = done >= total, time.monotonic() - self._begun > QUIET_SECONDS
        if total < WORTH_TELLING or not is_slow or not (self._is_live or (is_end and total)):
            return
        figures = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"
        text = f"  {'sent' if is_end else 'sending'} {what}  {figures}"
        if self._is_live:
            sys.stderr.write(f"\r\x1b[K{text}" + ("\n" if is_end else ""))
        else:
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def _spec(invocation: Invocation) -> "AppSpec":
    return invocation.outside.specs.read(invocation.folder.resolve())


def _bundle(spec: "AppSpec", server: str) -> "Bundle":
    from berthmaster.adapters.berthfile.bundle import bundle

    for_tenants = server in spec.tenancy.servers if spec.tenancy else False
    there = [
        name
        for name in spec.environments
        if for_tenants or spec.servers.get(name, server) == server
    ]
    return bundle(spec, there)


def _facts(invocation: Invocation, spec: "AppSpec") -> dict[str, Any]:
    from berthmaster.adapters.berthfile.sent import render_facts

    specs = invocation.outside.specs
    return render_facts(specs.revision(Path(spec.folder)), specs.checkout(spec))


def _named(invocation: Invocation) -> list[str]:
    """The servers of `-S`: one, several with commas, or all that are known."""
    from berthmaster import bootstrap

    if invocation.server == EVERY:
        known = sorted(bootstrap.read_servers().servers)
        if not known:
            raise UserError("no server is known", next_command="berth server add NAME ADDRESS")
        return known
    return [check_server(name) for name in (invocation.server or "").split(",")]


def _declared(invocation: Invocation, context: click.Context) -> list[str]:
    """The server of the environment that the command is about, as berth.yaml has it."""
    from berthmaster import bootstrap

    spec = _spec(invocation)
    named = {spec.servers.get(name) for name in _environments(spec, context)}
    if len(named) > 1:
        raise UserError(
            "these environments live on different servers, which share nothing:"
            f" {', '.join(sorted(name or 'this one' for name in named))}",
            next_command="deploy the same artifact there: berth -S SERVER deploy ENV --tag TAG",
        )
    (server,) = named or {None}
    if server is None or server == socket.gethostname().partition(".")[0]:
        return []
    if server not in bootstrap.read_servers().servers:
        raise UserError(
            f"{FILE} says that it lives on the server {server}, which you do not know yet",
            next_command=f"berth server add {server} ADDRESS; or -S {HERE} for this machine",
        )
    return [server]


def _environments(spec: "AppSpec", context: click.Context) -> list[str]:
    """Those that the words name; all of them when they name none and all live on one server."""
    words = list[str]()
    for value in context.params.values():
        words += [value] if isinstance(value, str) else _texts(value)
    found = []
    for word in words:
        app, at, rest = word.rpartition("@")
        environment = rest.partition("/")[0]
        if environment in spec.environments and (not at or app == spec.app):
            found.append(environment)
    if found:
        return found
    is_one = len({spec.servers.get(name) for name in spec.environments}) == 1
    return list(spec.environments) if is_one else []


def _texts(value: object) -> Iterable[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, tuple) else []


def _app_of(folder: Path) -> str:
    """The app's name without reading the whole file; empty when it does not stand there plainly."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    found = re.search(r"^app:[ \t]*[\"']?([a-z][a-z0-9-]{0,30})[\"']?[ \t]*(?:#.*)?$", text, re.M)
    return found[1] if found else ""


def _streams(command: str) -> Streams:
    from berthmaster.adapters.ssh.asking import terminal_size

    columns, rows = terminal_size()
    return Streams(
        stdin=sys.stdin.isatty(),
        stdout=sys.stdout.isatty(),
        stderr=sys.stderr.isatty(),
        columns=columns,
        rows=rows,
        is_input=command in LISTENING,
    )


def _actor() -> str:
    from berthmaster.engine.lease import person

    return re.sub(r"[^A-Za-z0-9._@-]", "_", person())[:128]


def _is_plain(key: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9._+:-]{1,64}", os.environ.get(key, "")) is not None
