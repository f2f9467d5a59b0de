"""The state folder may be a link to another disk."""

import os
import subprocess
import sys
from pathlib import Path

from berthmaster.adapters.store.snapshots import StoreSnapshots


def test_who_has_the_store_open_is_seen_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/store.db").write_bytes(b"x")
    (tmp_path / "state").symlink_to(tmp_path / "disk")
    code = "import sys; held = open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", code, os.fspath(tmp_path / "state/store.db")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            assert other.pid in StoreSnapshots(tmp_path / "state/store.db").users()
        finally:
            other.kill()
