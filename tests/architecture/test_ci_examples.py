"""The CI files of `examples/ci`: they parse, and their commands exist."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from tests.architecture.test_docs import berth_arguments, check_arguments

from berthmaster.adapters.berthfile.document import parse_document
from berthmaster.cli.main import berth

FOLDER = Path(__file__).parents[2] / "examples/ci"
SCRIPT = FOLDER / "deploy"


def lines_of(value: Any) -> Iterator[str]:
    """Every line of a shell block, wherever it stands."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("run", "script", "before_script"):
                texts = item if isinstance(item, list) else [item]
                yield from (line for text in texts for line in text.splitlines())
            else:
                yield from lines_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from lines_of(item)


@pytest.mark.requirement("R167")
@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_a_workflow_parses_and_ends_with_the_script(name: str) -> None:
    data = parse_document((FOLDER / name).read_text(), name).data
    lines = list(lines_of(data))
    assert lines[-1].split() in ([".github/deploy", "stage"], ["ci/deploy", "stage"])
    for line in lines:
        checked = subprocess.run(["bash", "-n", "-c", line], capture_output=True, check=False)
        assert checked.returncode == 0, line


def test_the_script_is_sound_and_its_commands_exist() -> None:
    assert os.access(SCRIPT, os.X_OK)
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
    text = SCRIPT.read_text().replace(" >deployed.json || code=$?", "")
    found = [line for line in text.splitlines() if line.startswith("berth ")]
    assert len(found) == 4
    for line in found:
        try:
            check_arguments(berth, berth_arguments(line) or [])
        except click.UsageError as error:
            pytest.fail(f"{line}: {error.format_message()}")


def test_no_workflow_puts_a_secret_into_a_command() -> None:
    for path in FOLDER.glob("*.yml"):
        for line in lines_of(parse_document(path.read_text(), path.name).data):
            assert "${{" not in line, "an expression in a shell line is an injection"
