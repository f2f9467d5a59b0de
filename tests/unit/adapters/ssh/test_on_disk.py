"""A tree that was placed is on disk before it has its name: the name says that it is whole."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from berthmaster.adapters.ssh.trees import SentTrees
from berthmaster.domain.elsewhere import Request, SentFile

CONTENT = b"services: {}\n"
FILE = SentFile("deploy/compose.yaml", 0o640, sha256(CONTENT).hexdigest(), len(CONTENT))


def test_files_and_folders_are_synced_before_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[str] = set()
    real = os.fsync

    def note(handle: int) -> None:
        synced.add(Path(os.readlink(f"/proc/self/fd/{handle}")).name)
        real(handle)

    trees = SentTrees(tmp_path)
    request = Request("0.1.0", (), "a@b", (FILE,))
    trees.take(FILE, lambda most: CONTENT[:most])
    monkeypatch.setattr(os, "fsync", note)
    renamed: list[set[str]] = []
    rename = Path.rename

    def look(self: Path, target: Path) -> Path:
        renamed.append(set(synced))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", look)
    trees.place(request, frozenset)
    assert {"compose.yaml", "deploy", "app"} <= renamed[-1]
