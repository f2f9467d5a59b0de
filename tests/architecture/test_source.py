"""Rules about the source that no linter here knows: sizes, docstrings, every action planned."""

import ast
from pathlib import Path
from typing import get_args

import pytest
from tests.golden.test_plans import PLANS

from berthmaster.domain.plan import Action

SOURCE = Path(__file__).parents[2] / "src" / "berthmaster"
MODULES = sorted(SOURCE.rglob("*.py"))
FUNCTION_LINES = 80
FILE_LINES = 600


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_says_why_it_exists(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_file_and_no_function_is_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_LINES
    for node in functions(path):
        if node.name == "perform":  # the one match over all actions
            continue
        assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES, node.name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_program_is_started_through_a_shell(path: Path) -> None:
    text = path.read_text()
    assert "shell=True" not in text
    assert "create_subprocess_shell" not in text
    assert "os.system" not in text


def test_every_action_stands_in_some_golden_plan() -> None:
    plans = [make() for make in PLANS.values()]
    planned = {type(step.action) for plan in plans for step in plan.steps}
    undone = {type(step.undo) for plan in plans for step in plan.steps if step.undo}
    missing = set(get_args(Action)) - planned - undone
    assert not missing, f"no golden plan shows {sorted(item.__name__ for item in missing)}"
