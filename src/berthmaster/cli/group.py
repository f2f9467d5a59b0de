"""Groups whose commands are imported when they are typed, and a help page in sections."""

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

import click

PIPE_CLOSED: Final = 141  # 128 + SIGPIPE, what a shell reports for a writer without a reader
Sections = Mapping[str, Mapping[str, str]]  # title -> command -> "module:attribute"


class LazyGroup(click.Group):
    """A group that knows where its commands are before it imports any."""

    def __init__(
        self,
        *args: Any,
        sections: Sections,
        hidden: Mapping[str, str] | None = None,
        default: str | None = None,  # what is meant by a word that is no command
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self._default = default
        self._shown = [name for group in sections.values() for name in group]
        self._where = {name: at for group in sections.values() for name, at in group.items()}
        self._where |= hidden or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names that people type, in the order of the help page."""
        return list(self._shown)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        if cmd_name not in self._where:
            return None
        module, _, attribute = self._where[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - the table is ours
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command when there is none like that."""
        if args and self._default and args[0] not in self._where:
            args = [self._default, *args]
        if args and not args[0].startswith("-") and args[0] not in self._where:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self._shown, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            ctx.fail(f"there is no command `{args[0]}`{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that went away (`berth logs | head`) ends it quietly.

        Click itself would end with 1, which here says that a release is bad.
        """
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(PIPE_CLOSED) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The sections, the daily commands first."""
        width = max(len(name) for name in self._shown)
        for title, commands in self.sections.items():
            rows = []
            for name in commands:
                command = self.get_command(ctx, name)
                text = command.get_short_help_str(formatter.width - width - 6) if command else ""
                rows.append((name.ljust(width), text))
            with formatter.section(title):
                formatter.write_dl(rows)
