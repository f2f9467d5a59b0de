from pathlib import Path

import pytest
from importlinter.cli import lint_imports

EXAMPLE = Path(__file__).parent.parent


def test_no_module_reaches_over_its_border(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE / "backend")
    monkeypatch.syspath_prepend(str(EXAMPLE / "backend"))
    assert lint_imports(config_filename=str(EXAMPLE / "pyproject.toml"), no_cache=True) == 0


def test_every_module_is_under_the_contract() -> None:
    modules = {path.parent.name for path in (EXAMPLE / "backend").glob("*/__init__.py")}
    text = (EXAMPLE / "pyproject.toml").read_text()
    assert {module for module in modules if f'"{module}"' not in text} == set()
