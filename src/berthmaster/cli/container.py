"""Commands that reach into containers: logs, exec, run, and Compose's read-only ones."""

import os
import sys
from collections.abc import Sequence
from itertools import cycle
from typing import Final, NoReturn

import click

from berthmaster.cli.invocation import BerthCommand, Invocation, complete_stacks
from berthmaster.cli.output import has_colour
from berthmaster.cli.release import release_number
from berthmaster.domain.errors import BerthmasterError, OutsideError, UserError
from berthmaster.domain.names import StackId
from berthmaster.ports.outside import Outside
from berthmaster.services.follow_logs import (
    LogRequest,
    find_containers,
    find_release,
    follow_logs,
)

_PREFIXES: Final = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green")
_REST: Final = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command(cls=BerthCommand)
@click.argument("target", metavar="[STACK] [SERVICE]...", nargs=-1, shell_complete=complete_stacks)
@click.option("--since", metavar="TIME", help="10m, 2h, 1d, or an ISO time.")
@click.option("--follow", "-f", is_flag=True, help="Go on as lines come.")
@click.option(
    "--tail",
    metavar="N",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Lines of each container to begin with.",
)
@click.option("--release", metavar="rN", help="Another release than the live one.")
@click.option("--errors", is_flag=True, help="Only lines that tell of an error.")
@click.pass_obj
def logs(
    invocation: Invocation,
    target: tuple[str, ...],
    since: str | None,
    follow: bool,
    tail: int,
    release: str | None,
    errors: bool,
) -> None:
    """Print the logs of a stack's services."""
    stack, services = split_stack(invocation, target)
    request = LogRequest(
        services=services,
        release=release_number(release) if release else None,
        since=since,
        lines=tail,
        is_followed=follow,
        only_errors=errors,
    )

    async def work(outside: Outside) -> None:
        chosen = find_release(outside, stack, request.release)
        names = find_containers(chosen, request.services)
        printer = _Printer([name for name, _ in names], is_json=invocation.is_json)
        async for line in follow_logs(outside, stack, request):
            printer.print(line.service, line.container, line.text)

    invocation.run(work)


class _Printer:
    """Gives each service a colour and one width."""

    def __init__(self, services: Sequence[str], *, is_json: bool) -> None:
        self._width = max((len(name) for name in services), default=0)
        colours = cycle(_PREFIXES)
        self._colours = {name: next(colours) for name in dict.fromkeys(services)}
        self._is_json = is_json
        self._is_coloured = has_colour(sys.stdout)

    def print(self, service: str, container: str, text: str) -> None:
        """One line, as text or as an object."""
        if self._is_json:
            import json

            facts = {"service": service, "container": container, "text": text}
            click.echo(json.dumps(facts))
            return
        prefix = f"{service:<{self._width}} |"
        if self._is_coloured:
            prefix = click.style(prefix, fg=self._colours[service])
        click.echo(f"{prefix} {text}")


@click.command("exec", cls=BerthCommand, context_settings=_REST)
@click.argument("words", metavar="[STACK] SERVICE -- COMMAND...", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def exec_(invocation: Invocation, words: tuple[str, ...]) -> None:
    """Run a command inside a running container."""
    stack, service, command = split_command(invocation, words, "exec")
    outside = invocation.outside
    names = [name for _, name in find_containers(find_release(outside, stack), (service,))]
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    flags = ["--interactive", "--tty"] if is_terminal else ["--interactive"]
    docker = ("docker", "--host", invocation.settings.docker_host)
    replace_process([*docker, "exec", *flags, names[0], *(command or ("sh",))])


@click.command(cls=BerthCommand, context_settings=_REST)
@click.argument("words", metavar="[STACK] SERVICE -- COMMAND...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(context: click.Context, words: tuple[str, ...]) -> None:
    """Run a command in a new container of the live release."""
    from berthmaster.services.run_one_off import run_one_off

    invocation = context.find_object(Invocation) or Invocation()
    stack, service, command = split_command(invocation, words, "run")
    code = invocation.run(lambda outside: run_one_off(outside, stack, service, command))
    context.exit(code)


@click.command(cls=BerthCommand, context_settings=_REST)
@click.argument("words", metavar="[STACK] -- ps|top|logs|...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def compose(context: click.Context, words: tuple[str, ...]) -> None:
    """Run a read-only Compose command on the live release."""
    invocation = context.find_object(Invocation) or Invocation()
    # NOTE: click takes away a `--` that stands first.
    is_named = "--" in words or (bool(words) and is_stack(invocation, words[0]))
    head, command = split_dashes(words) if is_named else ((), tuple(words))
    stack = invocation.known_stack(head[0] if head else None)
    release = find_release(invocation.outside, stack)
    project = release.project
    context.exit(invocation.run(lambda outside: outside.compose.passthrough(project, command)))


def split_dashes(words: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What stands before `--` and after it; without `--` the first word stands before."""
    if "--" in words:
        at = list(words).index("--")
        return tuple(words[:at]), tuple(words[at + 1 :])
    return tuple(words[:1]), tuple(words[1:])


def split_stack(invocation: Invocation, words: Sequence[str]) -> tuple[StackId, tuple[str, ...]]:
    """The stack in front, when the first word is one, and the rest."""
    if words and is_stack(invocation, words[0]):
        return invocation.known_stack(words[0]), tuple(words[1:])
    try:
        return invocation.known_stack(None), tuple(words)
    except BerthmasterError:
        if words:
            return invocation.known_stack(words[0]), tuple(words[1:])
        raise


def split_command(
    invocation: Invocation, words: Sequence[str], verb: str
) -> tuple[StackId, str, tuple[str, ...]]:
    """Stack, service and command of `[STACK] SERVICE -- COMMAND`; `--` may be left out."""
    if "--" in words:
        head, command = split_dashes(words)
    else:
        count = 2 if words and is_stack(invocation, words[0]) else 1
        head, command = tuple(words[:count]), tuple(words[count:])
    stack, services = split_stack(invocation, head)
    if len(services) != 1:
        find_release(invocation.outside, stack)  # a stack that is not there is the first trouble
        raise UserError(f"name one service: berth {verb} [STACK] SERVICE -- COMMAND")
    return stack, services[0], command


def is_stack(invocation: Invocation, word: str) -> bool:
    """Whether a word names a stack that the store knows."""
    if "@" in word:
        return True
    known = [str(item.id).partition("@")[2] for item in invocation.outside.store.stacks()]
    return word in known


def replace_process(arguments: Sequence[str]) -> NoReturn:
    """Become another program: the terminal, signals and the exit code are then its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvp(arguments[0], list(arguments))  # noqa: S606 - a vector, no shell
    except OSError as error:
        raise OutsideError(
            f"{arguments[0]} could not be started: {error.strerror}", subject=arguments[0]
        ) from error
