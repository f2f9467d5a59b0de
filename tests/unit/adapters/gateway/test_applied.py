"""A configuration file on a disk that lost power."""

from pathlib import Path

import pytest

from berthmaster.adapters.gateway.applied import ConfigFile


@pytest.mark.parametrize("which", ["haproxy.cfg", "haproxy.cfg.applied"])
def test_bytes_that_are_no_text_are_written_anew(tmp_path: Path, which: str) -> None:
    file = ConfigFile(tmp_path / "haproxy.cfg", "global\n")
    seen = []
    for damage in (None, b"\xff\x00\xfe"):
        if damage is not None:
            (tmp_path / which).write_bytes(damage)
        seen.append(file.is_applied)
        file.write()
        file.mark_applied()
        seen.append(file.is_applied)
    assert seen == [False, True, False, True]
