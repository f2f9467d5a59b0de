"""What every command shares: global options, settings, the outside world, the stack it is about."""

import re
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
    from berthmaster.domain.domainpolicy import Outline
    from berthmaster.domain.elsewhere import Allowance
    from berthmaster.ports.outside import Outside
    from berthmaster.ports.store import StackRecord
    from berthmaster.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Served:
    """A command that somebody asked for from another machine."""

    allowance: "Allowance"  # what their key may do
    app: str = ""  # of the folder they typed it in


Decorated = TypeVar("Decorated", bound=Callable[..., Any])
FILE = "berth.yaml"


@dataclass
class Invocation:
    """One run of `berth`; tests hand in their own `given` world and settings."""

    folder: Path = Path()
    is_json: bool = False
    given: "Outside | None" = None
    given_settings: "Settings | None" = None
    arguments: tuple[str, ...] = ()  # the command line as it was typed
    server: str | None = None  # what `-S` says
    files: tuple[Path, ...] = ()  # of this machine, that the command line names
    served: "Served | None" = None  # this run was asked for over ssh

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
        here = [item for item in fitting if self._is_here(item)]
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
        spec = self.outside.specs.outline(self.folder.resolve())
        if text:
            return _declared(parse_stack(text, default_app=spec.app), spec)
        names = sorted(spec.environments)
        if len(names) == 1:
            return StackId(spec.app, names[0])
        choice = ", ".join(names)
        raise NotFound(f"which environment? {FILE} has {choice}", next_command="berth COMMAND ENV")

    def check_environment(self, app: str | None, environment: str) -> None:
        """Raise `NotFound` unless `berth.yaml` here, a stack of the store, or a tenant has it, a
        removed one too; any app's when none is named.
        """
        if (self.folder / FILE).is_file():
            spec = self.outside.specs.outline(self.folder.resolve())
            if app in (None, spec.app) and environment in spec.environments:
                return
        store = self.outside.store
        tenants = (item.stack for item in store.tenants())
        for stack in (*(item.id for item in store.stacks()), *tenants):
            if app in (None, stack.app) and stack.environment == environment:
                return
        name = f"{app}@{environment}" if app else environment
        raise NotFound(f"no environment {name} is known here", next_command="berth status")

    def folder_of(self, stack: StackId) -> Path:
        """Where the stack's `berth.yaml` is: here, or where it was last deployed from."""
        here = self.folder.resolve()
        if (here / FILE).is_file() and self.outside.specs.outline(here).app == stack.app:
            return here
        record = self.outside.store.stack(stack)
        if record is not None and (Path(record.folder) / FILE).is_file():
            return Path(record.folder)
        raise NotFound(
            f"there is no {FILE} of {stack.app} in {here}",
            next_command=f"berth -C DIR ... {stack}, or berth init",
        )

    def _is_here(self, item: "StackRecord") -> bool:
        """Whether a stack belongs to the folder that the command was typed in."""
        if self.served is not None:
            return item.id.app == self._app_or_none()
        return Path(item.folder) == self.folder.resolve()

    def _app_or_none(self) -> str | None:
        if self.served is not None and self.served.app:
            return self.served.app
        if not (self.folder / FILE).is_file():
            return None
        return self.outside.specs.outline(self.folder.resolve()).app


def _declared(stack: StackId, spec: "Outline") -> StackId:
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

    def invoke(self, ctx: click.Context) -> Any:
        """Run it here, or where its stack lives."""
        invocation = ctx.ensure_object(Invocation)
        if invocation.served is not None:
            from berthmaster.cli.serve import check_limits

            check_limits(invocation, ctx.command_path.partition(" ")[2], ctx.params)
        elif (
            invocation.server is not None
            or ctx.params.get("place")
            or _names_servers(invocation.folder)
        ):
            from berthmaster.cli.elsewhere import run_elsewhere

            code = run_elsewhere(invocation, ctx)
            if code is not None:
                ctx.exit(code)
        return super().invoke(ctx)


def _names_servers(folder: Path) -> bool:
    """Whether berth.yaml has `servers`; a look at the text, so that others need not read it."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return re.search(r"^[\"']?servers[\"']?\s*:", text, re.MULTILINE) is not None


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
            type=click.Path(path_type=Path),
            expose_value=False,
            callback=_take_folder,
            help="Folder of berth.yaml; by default the current one.",
            hidden=is_hidden,
        ),
        click.Option(
            ["-S", "server"],
            metavar="SERVER",
            expose_value=False,
            callback=_take_server,
            help="Run on this server over ssh; `all`, or several with commas.",
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


def _take_folder(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    invocation = context.ensure_object(Invocation)
    if value is not None and invocation.served is None:  # else it was taken before it was sent
        wanted = click.Path(exists=True, file_okay=False, path_type=Path)
        invocation.folder = Path(str(wanted.convert(value, parameter, context)))


def _take_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).is_json = True


def _take_server(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(Invocation).server = value


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
