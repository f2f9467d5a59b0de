"""On a disk without space files are refused in words, and removing still works."""

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from berthmaster.adapters.files import durable
from berthmaster.adapters.files.errors import FilesFailed, translated


@pytest.mark.parametrize(
    ("number", "is_passing"), [(errno.ENOSPC, True), (errno.EROFS, True), (errno.EACCES, False)]
)
def test_what_goes_away_by_itself_is_tried_again(
    tmp_path: Path, number: int, is_passing: bool
) -> None:
    with pytest.raises(FilesFailed) as refused, translated(tmp_path):
        raise OSError(number, os.strerror(number), str(tmp_path))
    assert refused.value.retryable is is_passing
    assert (refused.value.next_command is not None) is is_passing


def test_a_folder_can_be_removed_where_none_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "r7"
    (folder / "files").mkdir(parents=True)

    def full(*_: Any, **__: Any) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    monkeypatch.setattr(Path, "mkdir", full)
    durable.vanish(folder)
    assert list(tmp_path.iterdir()) == []
