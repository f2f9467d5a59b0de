"""A dump that is being made, or was killed, is no restore point."""

import os
from pathlib import Path

from berthmaster.adapters.files.state_files import StateFiles


def test_half_a_dump_takes_no_good_ones_place(tmp_path: Path) -> None:
    files = StateFiles(tmp_path)
    folder = files.dump_folder("shop@prod")
    for age, name in ((300, "d1"), (200, "d2"), (100, "d3-x1.part"), (50, "d4-x2.part")):
        (folder / name).mkdir()
        os.utime(folder / name, (1_000_000 - age, 1_000_000 - age))
    assert files.prune_dumps("shop@prod", 1) == ("d1",)
    assert sorted(item.name for item in folder.iterdir()) == ["d2", "d3-x1.part", "d4-x2.part"]


def test_what_a_killed_removal_left_goes_with_the_next(tmp_path: Path) -> None:
    files = StateFiles(tmp_path)
    top = files.release_folder("shop@prod", 1).parent
    left, busy = top / ".r7.999999999-12", top / f".r8.{os.getpid()}-13"
    for folder in (top / "r1", left / "secrets", busy):
        folder.mkdir(parents=True)
    files.remove("shop@prod", 1)
    assert sorted(item.name for item in top.iterdir()) == [busy.name]
