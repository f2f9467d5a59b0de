"""What restic says is read with care: the next version says more."""

import os
from pathlib import Path

import pytest

from berthmaster.adapters.restic import ResticBackups, parse_target
from berthmaster.adapters.restic.repository import _move_in
from berthmaster.domain.errors import OutsideError

ROWS = """[
  {"short_id": "a1", "time": "2026-01-01T00:00:00Z", "tags": ["berthmaster", "kind=later"]},
  {"short_id": "b2", "time": "2026-01-01T00:00:00.123456789+02:00",
   "tags": ["berthmaster", "kind=whole"]}
]"""


def backups(folder: Path, body: str, mode: int = 0o700) -> ResticBackups:
    program = folder / "restic"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(mode)
    made = ResticBackups(parse_target("/srv/b"), folder, program=str(program))
    made.use("CODE")
    return made


async def test_a_copy_of_a_kind_that_is_not_known_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text(ROWS)
    found = await backups(tmp_path, f"cat {tmp_path}/rows").copies()
    assert [item.id for item in found] == ["b2"]


async def test_an_answer_that_is_no_json_is_an_error_of_the_target(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="listing"):
        await backups(tmp_path, "echo a warning; echo '[]'").copies()


async def test_a_program_that_may_not_be_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="Permission denied"):
        await backups(tmp_path, "true", 0o600).copies()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_folder_takes_the_place_of_what_is_none(tmp_path: Path, kind: str) -> None:
    source, into = tmp_path / "source", tmp_path / "into"
    (source / "dumps").mkdir(parents=True)
    (source / "dumps/one").write_text("1")
    into.mkdir()
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        os.symlink(tmp_path / "elsewhere", into / "dumps")
    else:
        (into / "dumps").write_text("x")
    _move_in(source, into)
    assert (into / "dumps/one").read_text() == "1"
