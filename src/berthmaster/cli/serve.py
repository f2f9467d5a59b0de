"""The command `serve-request`: what `berth -S` starts on the other side. Nobody types it.

Reads one request from standard input (`adapters/ssh/serving.py`). A line in `authorized_keys` may
start it with `--key` and limits: then a key can do nothing else on this machine.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from berthmaster.cli.invocation import FILE, Invocation, Served
from berthmaster.domain.elsewhere import Allowance, Request
from berthmaster.domain.errors import BerthmasterError, NotAllowed, UserError

if TYPE_CHECKING:
    from berthmaster.adapters.ssh.wire import Wire
    from berthmaster.services.render_model import ReleaseRequest

# What has its meaning only where it is typed, and why.
AT_HOME: Final = {
    "init": "it writes berth.yaml into your folder",
    "build": "images are built where the sources are; `berth deploy` sends them",
    "dev": "development runs where the sources are",
    "completion": "it is for the shell you type in",
    "record": "it writes files into your repository: run it on the server, or use --json of show",
    "secrets init": "it writes the secrets of your folder; `berth deploy` sends them",
    "secrets set": "it writes a secret of your folder; `berth deploy` sends it",
    "secrets rotate": "it writes a secret of your folder; add --write-only, and then deploy",
    "tenant move": "it asks two servers, from where both are known",
    "server add": "it is about the servers that you know",
    "server remove": "it is about the servers that you know",
    "server list": "it is about the servers that you know",
    "server check": "it is about the servers that you know",
    "server upgrade": "it is about the servers that you know",
    "serve-request": "it is not for people",
}
_BRINGING_OUT: Final = frozenset(
    {
        *("deploy", "promote", "rollout", "adopt", "tenant add", "tenant restore"),
        *("rehearse begin", "rehearse ship"),
    }
)
_ABOUT_NO_STACK: Final = frozenset({"attach"})  # checks the stack of its deployment itself


def stays_home(command: str) -> str | None:
    """Why a command is never sent to a server; None when it may be."""
    return AT_HOME.get(command) or AT_HOME.get(command.split(" ")[0])


@click.command("serve-request", hidden=True)
@click.option("--key", metavar="NAME", default="", help="Who asks: the owner of the key.")
@click.option("--only", metavar="COMMANDS", default="", help="What may be asked for, with commas.")
@click.option("--env", "environments", metavar="ENVS", default="", help="Where, with commas.")
@click.option("--overrides", is_flag=True, help="Also what berth.yaml allows beyond the policy.")
@click.pass_obj
def serve_request(
    invocation: Invocation, key: str, only: str, environments: str, overrides: bool
) -> None:
    """Answer one request from standard input (for ssh).

    What a client asked sshd for is not looked at: only this is ever run for a key with a forced
    command.
    """
    from berthmaster.bootstrap import serve

    if (only or environments) and not key:
        raise UserError("limits want the name of the key: --key NAME")
    commands = _parts(only.replace("+", " "))
    allowance = Allowance(key, commands, _parts(environments), overrides)
    raise click.exceptions.Exit(serve(_Far(invocation, allowance), invocation.settings))


def _parts(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())


class _Far:
    """This machine, for whoever asks."""

    def __init__(self, invocation: Invocation, allowance: Allowance) -> None:
        self._invocation = invocation
        self._allowance = allowance

    def command_of(self, request: Request) -> str:
        """The command's name; raises for what the key, or anybody from afar, may not do."""
        try:
            command = command_path(request.arguments)
        except click.ClickException as error:
            raise UserError(error.format_message(), next_command="berth --help") from error
        if why := stays_home(command):
            raise UserError(f"`berth {command}` is not for another server: {why}")
        self._allowance.check_command(command)
        return command

    def used_folders(self) -> frozenset[str]:
        """Folders that stacks were deployed from."""
        outside = self._invocation.outside
        found = frozenset(item.folder for item in outside.store.stacks())
        outside.store.close()
        return found

    def bring_images(self, wire: "Wire", request: Request, folder: Path) -> None:
        """Ask for the images that are in no registry."""
        from berthmaster.adapters.ssh.images import take_wanted
        from berthmaster.services.find_unregistered import find_unregistered

        there = Invocation(folder, served=Served(self._allowance, request.app))
        name, command, words = _command(request.arguments)
        given, _, _ = command.make_parser(click.Context(command)).parse_args(words)
        check_limits(there, name, given)
        wanted = release_request(there, given, folder)
        if wanted is not None:
            found = there.run(lambda outside: find_unregistered(outside, wanted))
            take_wanted(wire, found, there.settings.docker_host)

    def run(self, request: Request, folder: Path | None) -> int:
        """Run the command as if it had been typed here."""
        from berthmaster.cli.main import main
        from berthmaster.engine.lease import ASKED_BY

        os.environ |= request.variables
        os.environ[ASKED_BY] = self._allowance.name or request.actor
        os.environ.setdefault("SSH_CONNECTION", "elsewhere")
        os.chdir(folder or "/")
        served = Served(self._allowance, request.app)
        return main(request.arguments, Invocation(folder or Path("/"), served=served))


def release_request(
    invocation: Invocation, values: Mapping[str, Any], folder: Path
) -> "ReleaseRequest | None":
    """The release that a command line is about; None when it is about none, or cannot be read."""
    from berthmaster.cli.release import parse_images
    from berthmaster.services.render_model import ReleaseRequest

    if values.get("is_all"):
        return None
    try:
        stack = invocation.declared_stack(_stack_of(values))
        if stack.tenant and invocation.outside.store.tenant(stack) is None:
            stack = replace(stack, tenant=None)  # one that is to be made: the app's images
        images = parse_images(tuple(values.get("images") or ()))
        return ReleaseRequest(stack, folder, _text(values.get("tag")), images)
    except BerthmasterError:  # the command itself will say it
        return None


def _stack_of(values: Mapping[str, Any]) -> str | None:
    """What a command line is about: its `stack`, or the last of its words."""
    words = values.get("words") or (None,)
    return _text(values.get("stack")) or _text(words[-1])


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def command_path(arguments: Sequence[str]) -> str:
    """`gateway up` of a command line; raises click's error for one that does not exist."""
    return _command(arguments)[0]


def _command(arguments: Sequence[str]) -> tuple[str, click.Command, list[str]]:
    """Its path, the command itself, and the words behind its name."""
    from berthmaster.cli.main import berth

    command: click.Command = berth
    path, words = list[str](), list(arguments)
    while isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1] if path else "berth")
        _, rest, _ = command.make_parser(context).parse_args(words)
        if not rest:
            break
        name, found, words = command.resolve_command(context, rest)
        assert found is not None  # noqa: S101 - else click raised
        path.append(name or rest[0])
        command = found
    return " ".join(path), command, words


def check_limits(invocation: Invocation, command: str, given: Mapping[str, Any]) -> None:
    """Raise `NotAllowed` unless the command is about one stack that the key is for.

    `given` are the command's parameters by name.
    """
    allowance = invocation.served.allowance if invocation.served else Allowance()
    _check_environment(allowance, command, given)
    if allowance.is_limited and not allowance.may_override and command in _BRINGING_OUT:
        _refuse_overrides(invocation, allowance, given)


def _check_environment(allowance: Allowance, command: str, given: Mapping[str, Any]) -> None:
    if not allowance.environments or command in _ABOUT_NO_STACK:
        return
    # Only of a rollout: in other commands the last word may be anything that somebody types.
    stack = _stack_of(given) if command == "rollout" else _text(given.get("stack"))
    if stack is None or given.get("is_all"):
        raise NotAllowed(
            f"the key {allowance.name} is for {', '.join(sorted(allowance.environments))} only:"
            " name one environment, with a command that takes one"
        )
    allowance.check_environment(_environment(stack))


def _environment(stack: str) -> str:
    return stack.rpartition("@")[2].partition("/")[0]


def _refuse_overrides(
    invocation: Invocation, allowance: Allowance, given: Mapping[str, Any]
) -> None:
    """Who may write berth.yaml decides about the policy: a key for CI shall not."""
    if not (invocation.folder / FILE).is_file():
        return
    spec = invocation.outside.specs.read(invocation.folder.resolve())
    words = [one for one in (_stack_of(given), *given.values()) if isinstance(one, str)]
    named = {_environment(word) for word in words} & set(spec.environments)
    for environment in (spec.environments[name] for name in named or spec.environments):
        if not environment.is_strict or environment.allow or environment.overrides:
            raise NotAllowed(
                f"berth.yaml loosens the policy of {environment.name}, and the key"
                f" {allowance.name} may not deploy that; a person can, or a key with --overrides"
            )
