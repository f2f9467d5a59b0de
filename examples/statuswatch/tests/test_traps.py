"""docs/traps.md names tests that exist, and pages quote the budgets that are measured."""

import re
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent.parent
TRAPS = EXAMPLE / "docs" / "traps.md"
IS_IN_THE_REPOSITORY = (EXAMPLE.parent.parent / "tests").is_dir()


def test_every_trap_has_a_row() -> None:
    numbers = re.findall(r"^\| (\d+) \|", TRAPS.read_text(), re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, 21))


@pytest.mark.skipif(not IS_IN_THE_REPOSITORY, reason="copied without the tests of Berthmaster")
def test_every_row_names_a_test_that_exists() -> None:
    rows = [line for line in TRAPS.read_text().splitlines() if line.startswith("|") and "](" in line]
    assert len(rows) > 20
    named = [re.findall(r"\[(test_\w+)\]\(([^)]+)\)", line) for line in rows]
    assert all(named)
    for name, link in (pair for row in named for pair in row):
        assert f"def {name}(" in (TRAPS.parent / link).resolve().read_text(), (name, link)


@pytest.mark.skipif(not IS_IN_THE_REPOSITORY, reason="copied without the benches of Berthmaster")
def test_the_page_quotes_the_budgets_of_the_bench() -> None:
    """A threshold has one source; the document and the scripts of the original disagreed on every one."""
    bench = (EXAMPLE.parent.parent / "bench" / "statuswatch.py").read_text()
    (milliseconds,) = re.findall(r"^P95_BUDGET_MS = (\d+)$", bench, re.MULTILINE)
    pages = [(EXAMPLE / "README.md").read_text(), (EXAMPLE / "docs" / "load.md").read_text()]
    quoted = {number for page in pages for number in re.findall(r"under (\d+) ms", page)}
    assert quoted == {milliseconds}
