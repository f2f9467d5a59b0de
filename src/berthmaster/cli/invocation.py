"""What every command shares: global options, settings, the outside world, the stack it is about."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from berthmaster.domain.errors import NotFound, UserError
from berthmaster.domain.names import StackId, parse_stack

if TYPE_CHECKING:
    from berthmaster.cli.progress import Told
    from berthmaster.domain.spec import AppSpec
    from berthmaster.ports.outside import Outside
    from berthmaster.ports.store import StackRecord
    from berthmaster.settings import Settings

T = TypeVar("T")
Decorated = TypeVar("Decorated", bound=Callable[..., Any])
FILE = "berth.yaml"


@dataclass
class Invocation:
    """One run of `berth`; tests hand in their own `given` world and settings."""

    folder: Path = Path()
    is_json: bool = False
    given: "Outside | None" = None
    given_settings: "Settings | None" = None

    @cached_property
    def settings(self) -> "Settings":
        """The server's settings; raises `InvalidSpec`."""
        from berthmaster.settings import read_settings

        return self.given_settings or read_settings()

    @cached_property
    def outside(self) -> "Outside":
        """All ports, each made at its first use."""
        if self.given is not None:
            return self.given
        from berthmaster import bootstrap

        return bootstrap.build_outside(self.settings)

    def run(self, work: "Callable[[Outside], Awaitable[T]]") -> T:
        """Run a use case to its end; signals cancel it."""
        from berthmaster import bootstrap

        return bootstrap.run(self.outside, work)

    @cached_property
    def progress(self) -> "Told":
        """How a plan's steps are shown: live on a terminal, as lines elsewhere."""
        from berthmaster.cli.progress import choose_progress

        return choose_progress(is_json=self.is_json)

    def known_stack(self, text: str | None) -> StackId:
        """A stack that the store knows; `text` may leave out what is the only one.

        Needs no `berth.yaml`: at 2 AM the inventory is enough. Raises `NotFound` naming the choice.
        """
        if text and "@" in text:
            return parse_stack(text)
        stacks = self.outside.store.stacks()
        fitting = [item for item in stacks if text in (None, str(item.id).partition("@")[2])]
        here = [item for item in fitting if Path(item.folder) == self.folder.resolve()]
        live = [item for item in fitting if item.live is not None]
        for found in (here, live, fitting):
            if len(found) == 1:
                return found[0].id
        if text and not fitting:
            return parse_stack(text, default_app=self._app_or_none())
        raise _unclear(fitting, "stack")

    def declared_stack(self, text: str | None) -> StackId:
        """A stack of an environment in `berth.yaml`; raises `NotFound` or `InvalidSpec`."""
        if text and "@" in text:
            return parse_stack(text)
        if not (self.folder / FILE).is_file():
            return self.known_stack(text)
        spec = self.outside.specs.read(self.folder.resolve())
        if text:
            return _declared(parse_stack(text, default_app=spec.app), spec)
        names = sorted(spec.environments)
        if len(names) == 1:
            return StackId(spec.app, names[0])
        choice = ", ".join(names)
        raise NotFound(f"which environment? {FILE} has {choice}", next_command="berth COMMAND ENV")

    def folder_of(self, stack: StackId) -> Path:
        """Where the stack's `berth.yaml` is: here, or where it was last deployed from."""
        here = self.folder.resolve()
        if (here / FILE).is_file() and self.outside.specs.read(here).app == stack.app:
            return here
        record = self.outside.store.stack(stack)
        if record is not None and (Path(record.folder) / FILE).is_file():
            return Path(record.folder)
        raise NotFound(
            f"there is no {FILE} of {stack.app} in {here}",
            next_command=f"berth -C DIR ... {stack}, or berth init",
        )

    def _app_or_none(self) -> str | None:
        if not (self.folder / FILE).is_file():
            return None
        return self.outside.specs.read(self.folder.resolve()).app


def _declared(stack: StackId, spec: "AppSpec") -> StackId:
    if stack.environment not in spec.environments:
        known = ", ".join(sorted(spec.environments))
        raise NotFound(f"{FILE} has no environment {stack.environment!r}; it has {known}")
    return stack


def _unclear(found: "list[StackRecord]", what: str) -> UserError:
    if not found:
        return NotFound(f"there is no {what} yet", next_command="berth deploy ENV")
    names = ", ".join(str(item.id) for item in found[:10])
    more = f" and {len(found) - 10} more" if len(found) > 10 else ""
    return NotFound(f"which {what}? there are {names}{more}", next_command="berth status")


class BerthCommand(click.Command):
    """A command that takes the global options behind its name too: `berth status --json`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *_global_options(is_hidden=True)]


def global_options(command: Decorated) -> Decorated:
    """Add `-C`, `-S` and `--json` to the root command."""
    for option in reversed(_global_options(is_hidden=False)):
        command.params.insert(0, option)  # type: ignore[attr-defined]
    return command


def _global_options(*, is_hidden: bool) -> list[click.Option]:
    return [
        click.Option(
            ["-C", "folder"],
            metavar="DIR",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            expose_value=False,
            callback=_take_folder,
            help="Folder of berth.yaml; by default the current one.",
            hidden=is_hidden,
        ),
        click.Option(
            ["-S", "server"],
            metavar="SERVER",
            expose_value=False,
            callback=_refuse_server,
            help="Run on another server over ssh (comes later).",
            hidden=is_hidden,
        ),
        click.Option(
            ["--json", "is_json"],
            is_flag=True,
            expose_value=False,
            callback=_take_json,
            help="Print the result as JSON.",
            hidden=is_hidden,
        ),
    ]


def _take_folder(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.ensure_object(Invocation).folder = value


def _take_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).is_json = True


def _refuse_server(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise UserError(
            "-S comes in a later version: this one works on the server it is installed on",
            next_command=f"ssh {value} berth ...",
        )


def complete_stacks(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Known stacks for the shell; silent when the store cannot be read."""
    invocation = context.find_object(Invocation) or Invocation()
    try:
        names = [str(item.id) for item in invocation.outside.store.stacks()]
    except Exception:  # a shell completion must never print a traceback
        return []
    short = [name.partition("@")[2] for name in names]
    unique = [name for name in short if short.count(name) == 1]
    return sorted(name for name in {*names, *unique} if name.startswith(incomplete))


def stack_argument(command: Decorated) -> Decorated:
    """Add the optional argument `[APP@]ENV[/TENANT]` as `stack`."""
    return click.argument(
        "stack", metavar="[[APP@]ENV[/TENANT]]", required=False, shell_complete=complete_stacks
    )(command)
