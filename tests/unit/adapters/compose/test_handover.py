import json
import subprocess
import sys
from pathlib import Path

import pytest

from berthmaster.adapters.compose import handover


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(handover, "RUN_FOLDER", tmp_path / "run")
    return tmp_path / "run"


def test_the_file_is_private_and_gone_afterwards(folder: Path) -> None:
    with handover.handed_over({"name": "shop"}) as path:
        modes = [item.stat().st_mode & 0o777 for item in (path, path.parent, folder)]
        assert json.loads(path.read_text()) == {"name": "shop"}
    assert modes == [0o600, 0o700, 0o700]
    assert list(folder.iterdir()) == []


def test_the_file_is_gone_after_a_failure_too(folder: Path) -> None:
    with pytest.raises(RuntimeError), handover.handed_over({}):
        raise RuntimeError
    assert list(folder.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next(folder: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (folder / f"{ended.pid}-left").mkdir(parents=True)
    (folder / f"{ended.pid}-left" / "compose.json").write_text("secret")
    (folder / "1-running").mkdir()
    with handover.handed_over({}):
        assert not (folder / f"{ended.pid}-left").exists()
        assert (folder / "1-running").exists()


def test_dollar_signs_survive_the_way_out_and_back() -> None:
    model = {"a$b": ["x$y$$z", {"k": "${A}"}], "n": 1, "none": None}
    assert handover.escape(model)["a$b"] == ["x$$y$$$$z", {"k": "$${A}"}]
    assert handover.unescape(handover.escape({"k": model["a$b"]})) == {"k": model["a$b"]}
