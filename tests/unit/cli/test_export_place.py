"""Where an exported tenant goes to."""

from pathlib import Path

import pytest
from tests.unit.cli.customers import Customers


def test_a_place_that_is_none_is_refused_before_anything_is_done(
    customers: Customers, tmp_path: Path
) -> None:
    customers.add("acme")
    place = str(tmp_path / "none/acme.tar.gz")
    said = customers.refused("tenant", "export", "prod/acme", place, "--suspend")
    assert f"{tmp_path}/none is no folder; nothing was done" in said
    assert customers.state("acme") == "active"


def test_secrets_are_not_written_to_a_terminal(
    customers: Customers, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers.add("acme")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "no place for it" in customers.refused("tenant", "export", "prod/acme", "-")
