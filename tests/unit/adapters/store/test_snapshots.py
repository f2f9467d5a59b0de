"""Copies of the store: kept before trouble, named in trouble, put back afterwards."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.adapters.store.support import SHOP, SetClock, add_releases, make_store

from berthmaster.adapters.store import snapshots
from berthmaster.adapters.store.errors import RESTORE, StoreUnavailable
from berthmaster.adapters.store.snapshots import KEPT_DAYS, KEPT_NEWEST, StoreSnapshots


def damaged(path: Path) -> Path:
    """A store with a copy, whose file is then overwritten."""
    store = make_store(path)
    add_releases(store, 7)
    store.keep_snapshot()
    store.close()
    path.write_bytes(b"\xff" * 8192)
    return path


def test_a_copy_is_private_sound_and_beside_the_store(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store.db")
    copy = store.keep_snapshot()
    assert copy is not None
    assert copy.parent == tmp_path / "snapshots"
    assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert StoreSnapshots(tmp_path / "store.db").problems(copy) == ()


def test_the_newest_copies_are_kept_and_one_of_each_of_the_last_days(tmp_path: Path) -> None:
    clock = SetClock()
    store = make_store(tmp_path / "store.db", clock)
    for _ in range(12):
        store.keep_snapshot()
        store.keep_snapshot()
        clock.wall += timedelta(days=1)
    kept = StoreSnapshots(tmp_path / "store.db").kept()
    assert len(kept) == KEPT_NEWEST + KEPT_DAYS - KEPT_NEWEST // 2
    assert len({item.taken_at.date() for item in kept}) == KEPT_DAYS


def test_a_clock_that_was_set_back_does_not_make_an_old_copy_the_newest(tmp_path: Path) -> None:
    clock = SetClock()
    store = make_store(tmp_path / "store.db", clock)
    store.keep_snapshot()
    clock.wall -= timedelta(hours=1)
    newest = store.keep_snapshot()
    assert StoreSnapshots(tmp_path / "store.db").kept()[0].path == newest


def test_a_store_in_memory_has_no_copies() -> None:
    assert make_store(":memory:").keep_snapshot() is None


def test_a_copy_that_the_disk_does_not_take_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path / "store.db")
    (tmp_path / "snapshots").touch()
    with pytest.raises(StoreUnavailable, match="cannot be copied"):
        store.keep_snapshot()
    assert sorted(one.name for one in tmp_path.iterdir() if "part" in one.name) == []


COPY_OFTEN = """
import sys
from pathlib import Path
from tests.unit.adapters.store.support import make_store
for _ in range(20):
    store = make_store(Path(sys.argv[1]))
    assert store.keep_snapshot()  # ten newer ones may already have taken its place
    store.close()
"""


def test_commands_that_copy_at_the_same_time_leave_each_other_alone(tmp_path: Path) -> None:
    words = [sys.executable, "-c", COPY_OFTEN, str(tmp_path / "store.db")]
    running = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    keeper = StoreSnapshots(tmp_path / "store.db")
    assert [keeper.problems(copy.path) for copy in keeper.kept()] == [()] * KEPT_NEWEST


def test_the_half_copy_of_a_killed_command_goes_with_the_next_one(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store.db")
    store.keep_snapshot()
    half = tmp_path / "snapshots/.store.db.999999999.part"
    half.touch()
    store.keep_snapshot()
    assert not half.exists()


@pytest.mark.parametrize("how", ["overwritten", "empty", "gone"])
def test_a_damaged_store_names_the_newest_copy_and_how_to_put_it_back(
    tmp_path: Path, how: str
) -> None:
    path = damaged(tmp_path / "store.db")
    if how == "empty":
        path.write_bytes(b"")
    elif how == "gone":
        path.unlink()
    copy = StoreSnapshots(path).kept()[0].path
    with pytest.raises(StoreUnavailable, match=str(copy)) as refused:
        make_store(path)
    assert (refused.value.next_command, refused.value.exit_code) == (RESTORE, 3)
    assert not refused.value.retryable


def test_a_restored_store_is_the_copy_and_the_old_file_is_set_aside(tmp_path: Path) -> None:
    path = damaged(tmp_path / "store.db")
    path.with_name("store.db-wal").write_bytes(b"of the old one")
    keeper = StoreSnapshots(path)
    assert keeper.problems()
    aside = keeper.restore(keeper.kept()[0].path)
    assert aside is not None
    assert aside.read_bytes() == b"\xff" * 8192
    assert Path(f"{aside}-wal").exists()
    assert path.stat().st_mode & 0o777 == 0o600
    assert keeper.problems() == ()
    assert [item.number for item in make_store(path).releases(SHOP)] == [7]


def test_a_copy_of_a_newer_program_or_of_something_else_is_not_sound(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store.db")
    copy = store.keep_snapshot()
    assert copy is not None
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA user_version = 99")
    other = tmp_path / "notes.txt"
    other.write_text("shopping list " * 100)
    keeper = StoreSnapshots(tmp_path / "store.db")
    assert "version 99" in keeper.problems(copy)[0]
    assert keeper.problems(other)
    assert keeper.problems(tmp_path / "nothing") == ("it is not there",)


def test_processes_that_have_the_store_open_are_named(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    make_store(path).close()
    code = f"f = open({str(path)!r}); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert StoreSnapshots(path).users() == (other.pid,)
        other.communicate(b"\n")
    assert StoreSnapshots(path).users() == ()


def test_a_disk_that_does_not_take_the_restored_file_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = damaged(tmp_path / "store.db")
    keeper = StoreSnapshots(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshots, "_copy", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        keeper.restore(keeper.kept()[0].path)
    assert path.read_bytes() == b"\xff" * 8192
