"""The help page: the twelve daily commands first, every command and option with a sentence."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from berthmaster.cli.main import SECTIONS, berth
from berthmaster.settings import PATH_VARIABLE

DAILY = [
    "init",
    "check",
    "plan",
    "deploy",
    "rollback",
    "status",
    "releases",
    "show",
    "logs",
    "exec",
    "run",
    "health",
]
HEAVY = ("aiohttp", "aiodocker", "pydantic", "cryptography", "rich", "ruamel", "jsonschema")


def commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = dict(commands(berth))


def test_the_twelve_daily_commands_come_first() -> None:
    first, *_ = SECTIONS.values()
    assert list(first) == DAILY


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_says_what_it_does_in_one_line_that_fits(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    text = command.get_short_help_str(limit=1000)
    assert text.endswith(".")
    assert len(text) <= 62
    assert command.name == path[-1]


GROUPS = [path for path, command in COMMANDS.items() if isinstance(command, click.Group)]


@pytest.mark.parametrize("path", [(), *GROUPS], ids=" ".join)
def test_a_help_page_cuts_no_sentence_short(path: tuple[str, ...]) -> None:
    command = COMMANDS[path] if path else berth
    context = click.Context(command, terminal_width=80)
    assert "..." not in command.get_help(context).replace("[ARGS]...", "")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_an_option_says_what_it_does(path: tuple[str, ...]) -> None:
    options = [item for item in COMMANDS[path].params if isinstance(item, click.Option)]
    unexplained = [item.name for item in options if not item.help]
    assert unexplained == []


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["status"], ["status", "--json"]])
def test_a_quick_command_imports_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(f'state_folder = "{tmp_path}"\ndocker_host = "unix:///nowhere.sock"\n')
    code = (
        "import sys; from berthmaster.cli.main import main; main(sys.argv[1:]);"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, PATH_VARIABLE: str(settings)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr.splitlines()[-1] == "[]"
