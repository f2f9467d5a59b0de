"""Restore points on a disk that is not perfect."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from berthmaster.adapters.dumps import point
from berthmaster.domain.errors import OutsideError


async def fill(part: Path) -> Mapping[str, Any]:
    (part / "shop.dump").write_text("rows")
    taken_at = "2026-01-01T00:00:00+00:00"
    return {"container": "db", "taken_at": taken_at, "databases": {"shop": "shop.dump"}}


async def test_one_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    for name in ("d1", "d2"):
        await point.take_point("db", tmp_path, name, fill)
    (tmp_path / "d1" / point.MANIFEST).write_text("{")
    assert [item.name for item in point.read_points(tmp_path)] == ["d2"]


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"databases": {"shop": "x"}}'])
async def test_one_whose_manifest_is_damaged_says_so(tmp_path: Path, text: str) -> None:
    await point.take_point("db", tmp_path, "d1", fill)
    (tmp_path / "d1" / point.MANIFEST).write_text(text)
    with pytest.raises(OutsideError, match=r"d1 is damaged: manifest\.json"):
        point.checked_files(tmp_path, "d1", "shop", "shop.dump")
    with pytest.raises(OutsideError, match=r"d1 is damaged: manifest\.json"):
        await point.take_point("db", tmp_path, "d1", fill)


async def test_what_a_killed_dump_left_goes_with_the_next(tmp_path: Path) -> None:
    left = tmp_path / "d1-abc.part"
    left.mkdir()
    (left / "shop.dump").write_text("half")
    os.utime(left, (1, 1))
    fresh = tmp_path / "d7-def.part"
    fresh.mkdir()
    await point.take_point("db", tmp_path, "d2", fill)
    assert not left.exists()
    assert fresh.exists()  # somebody else writes it now
