"""A state folder that cannot be made, and an output that takes nothing."""

import os
import sys
from pathlib import Path

import pytest
from tests.unit.cli.shop import Shop

from berthmaster.cli.invocation import Invocation
from berthmaster.cli.main import main
from berthmaster.settings import Settings


@pytest.mark.parametrize("is_file", [True, False])
def test_a_state_folder_that_cannot_be_made_is_no_bug(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], is_file: bool
) -> None:
    folder = tmp_path / "state" if is_file else Path("/proc/none/state")
    if is_file:
        folder.write_text("")
    code = main(["status"], Invocation(tmp_path, given_settings=Settings(state_folder=folder)))
    assert code == 3
    said = capsys.readouterr().err
    assert f"the store {folder}/" in said
    assert "cannot be made" in said


def test_a_full_disk_behind_the_output_is_named(
    live_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code = main(["status"], Invocation(live_shop.folder, given=live_shop.world.outside))
        monkeypatch.undo()
        os.set_blocking(full.fileno(), True)
    assert code == 3
    assert "No space left on device" in live_shop.capsys.readouterr().err
