"""Commands that messages tell people to type exist, with their flags."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
from tests.architecture.test_docs import check_arguments

SOURCE = Path(__file__).parents[2] / "src" / "berthmaster"
COMMAND = re.compile(r"\bberth ((?:-C \S+ )?[a-z]+(?: [^\s,;:`()\"]+)*)")
PROSE = re.compile(r"berth (knows|wrote|sealed|x)\b")  # the program as the subject of a sentence


def texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = [
                str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values
            ]
            yield "".join(parts)


def commands() -> list[tuple[str, str]]:
    found = {
        (path.relative_to(SOURCE).as_posix(), match[0].split("  ")[0])
        for path in SOURCE.rglob("*.py")
        for text in texts(path)
        for match in COMMAND.finditer(text)
        if not PROSE.match(match[0])
    }
    return sorted(found)


def test_every_command_that_a_message_names_exists() -> None:
    from berthmaster.cli.main import berth

    found, wrong = commands(), list[str]()
    assert len(found) > 300
    for path, command in found:
        try:
            check_arguments(berth, command.split()[1:])
        except click.UsageError as error:
            wrong.append(f"{path}: {command}: {error.format_message()}")
    assert wrong == []
