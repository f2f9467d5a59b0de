"""A `docker` that is there and may not be run."""

from pathlib import Path

import pytest

from berthmaster.adapters.compose import process
from berthmaster.domain.errors import OutsideError


@pytest.mark.parametrize("is_attached", [True, False])
async def test_it_is_no_bug_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_attached: bool
) -> None:
    (tmp_path / "docker").write_text("no program")
    (tmp_path / "docker").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    words = ("docker", "compose")
    with pytest.raises(OutsideError, match="docker cannot be started: Exec format error"):
        await (process.run_attached(words, {}) if is_attached else process.run(process.Task(words)))
