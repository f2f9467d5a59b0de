"""Files that whoever runs this may not read."""

from pathlib import Path

import pytest

from berthmaster.adapters.compose import variables


def test_a_file_that_may_not_be_read_names_no_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, open_ = tmp_path / "prod.env", tmp_path / "compose.yaml"
    closed.write_text("A=${NOT_SEEN}")
    open_.write_text("image: web:${TAG:-v1}")
    real = Path.read_text

    def read(self: Path, *rest: str | None, **more: str | None) -> str:
        if self == closed:
            raise PermissionError(13, "Permission denied")
        return real(self, *rest, **more)

    monkeypatch.setattr(Path, "read_text", read)
    assert variables.scan_files([closed, open_]) == {"TAG": "v1"}
