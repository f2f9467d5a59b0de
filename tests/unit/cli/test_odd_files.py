"""Files that a command line names and that are not as they should be."""

import io
import sys
from pathlib import Path

import pytest
from tests.unit.cli.shop import Shop

from berthmaster.cli import backup
from berthmaster.cli.failure import KEPT_CRASHES
from berthmaster.domain.errors import UserError


def test_an_escrow_code_comes_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("ABCDE-FGHJK\n"))
    assert backup._ask_code(Path("-")) == "ABCDE-FGHJK"


def test_a_code_that_cannot_be_read_is_no_bug(tmp_path: Path) -> None:
    for content in (b"\xff\xfe", b""):
        (tmp_path / "code").write_bytes(content)
        with pytest.raises(UserError, match="code"):
            backup._ask_code(tmp_path / "code")
    with pytest.raises(UserError, match="No such file"):
        backup._ask_code(tmp_path / "none")


def test_a_timer_that_fails_every_minute_fills_no_disk(
    live_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = live_shop.folder / "state/crashes"
    folder.mkdir(parents=True)
    for number in range(KEPT_CRASHES + 50):
        (folder / f"20250101-{number:06}-1.txt").write_text("old")

    def crash(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("berthmaster.cli.stack.read_status", crash)
    assert live_shop.berth("status").code == 70
    left = sorted(item.name for item in folder.iterdir())
    assert len(left) == KEPT_CRASHES
    assert not left[-1].startswith("2025")
