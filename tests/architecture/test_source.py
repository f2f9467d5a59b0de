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


@pytest.fixture(scope="module")
def modules() -> dict[str, str]:
    """The text of each, by its place."""
    return {path.relative_to(SOURCE).as_posix(): path.read_text() for path in MODULES}


@pytest.fixture(scope="module")
def trees(modules: dict[str, str]) -> dict[str, ast.Module]:
    return {name: ast.parse(text) for name, text in modules.items()}


def too_long(tree: ast.Module) -> list[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, kinds)
        and node.name != "perform"  # the one match over all actions
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
    ]


def test_every_module_says_why_it_exists(trees: dict[str, ast.Module]) -> None:
    assert len(trees) > 300
    assert [name for name, tree in trees.items() if not ast.get_docstring(tree)] == []


def test_no_file_is_too_long(modules: dict[str, str]) -> None:
    lengths = {name: len(text.splitlines()) for name, text in modules.items()}
    assert {name: length for name, length in lengths.items() if length > FILE_LINES} == {}


def test_no_function_is_too_long(trees: dict[str, ast.Module]) -> None:
    assert {name: found for name, tree in trees.items() if (found := too_long(tree))} == {}


@pytest.mark.parametrize("words", ["shell=True", "create_subprocess_shell", "os.system"])
def test_no_program_is_started_through_a_shell(modules: dict[str, str], words: str) -> None:
    assert [name for name, text in modules.items() if words in text] == []


def test_every_action_stands_in_some_golden_plan() -> None:
    plans = [make() for make in PLANS.values()]
    planned = {type(step.action) for plan in plans for step in plan.steps}
    undone = {type(step.undo) for plan in plans for step in plan.steps if step.undo}
    missing = set(get_args(Action)) - planned - undone
    assert not missing, f"no golden plan shows {sorted(item.__name__ for item in missing)}"
