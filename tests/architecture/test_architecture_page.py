"""`docs/architecture.md` says what the source says; `UPDATE_GOLDEN=1` prints the diagram anew."""

import os
import re
import tomllib
from pathlib import Path

import pytest
from tests.architecture.diagram import render_states

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
SOURCE = ROOT / "src" / "berthmaster"
PACKAGES = sorted(
    path.stem
    for path in SOURCE.iterdir()
    if (path / "__init__.py").is_file() or (path.suffix == ".py" and path.stem != "__init__")
)
ADAPTERS = sorted(path.parent.name for path in SOURCE.glob("adapters/*/__init__.py"))
DECISIONS = [f"**D{number}. " for number in range(1, 15)]


def block(name: str) -> str:
    """The text between the page's markers of this name."""
    found = re.search(
        f"<!-- {name}: begin -->\n(.*?)\n?<!-- {name}: end -->", PAGE.read_text(), re.S
    )
    assert found, f"docs/architecture.md has no block {name}"
    return found[1]


def test_the_diagram_is_that_of_the_table_of_transitions() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        text = PAGE.read_text()
        head, _, rest = text.partition("<!-- states: begin -->\n")
        _, _, tail = rest.partition("<!-- states: end -->")
        PAGE.write_text(
            f"{head}<!-- states: begin -->\n{render_states()}\n<!-- states: end -->{tail}"
        )
    assert block("states") == render_states()


def test_the_layers_are_those_that_import_linter_holds() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(item["layers"] for item in contracts["contracts"] if item["type"] == "layers")
    wanted = [re.sub(r"berthmaster\.|[()]", "", layer) for layer in layers]
    assert block("layers").splitlines() == ["```text", *wanted, "```"]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_is_named_with_what_it_may_not_do(name: str) -> None:
    assert re.search(rf"^\| `{name}` \| \S.+ \| \S.+ \|$", PAGE.read_text(), re.M)


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_is_named_with_what_it_stands_for(name: str) -> None:
    assert re.search(rf"^\| `adapters/{name}` \| \S.+ \|$", PAGE.read_text(), re.M)


@pytest.mark.parametrize("decision", DECISIONS)
def test_each_decision_is_told(decision: str) -> None:
    assert decision in PAGE.read_text()
