"""The file: durable, private, migrated, and honest when it is locked, full, damaged or newer."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from tests.unit.adapters.store.support import SHOP, SetClock, add_releases, make_store

from berthmaster.adapters.store import SqliteStore, database, errors, migration
from berthmaster.domain.errors import OutsideError
from berthmaster.ports.store import Event

FIXTURES = Path(__file__).parents[3] / "fixtures" / "store"
EVENT = Event(SetClock().now(), "ann", None, "noted", "x" * 5000)


def fill(store: SqliteStore) -> None:
    connection = store._database._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")


def record_many(store: SqliteStore) -> None:
    for _ in range(50):
        store.record(EVENT)


def add_stack_and_record_many(store: SqliteStore) -> None:
    with store.transaction():
        store.add_stack(SHOP, "/srv/shop")
        record_many(store)


def record_and_fail(store: SqliteStore) -> None:
    with store.transaction():
        store.record(EVENT)
        raise RuntimeError


def forget_and_fail(store: SqliteStore) -> None:
    with store.transaction():
        record_many(store)
        store.forget_stack(SHOP)
        raise RuntimeError


def test_the_file_and_its_folder_are_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "deep" / "store.db"
    store = make_store(path)
    store.record(EVENT)
    modes = {one.name: one.stat().st_mode & 0o777 for one in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert [one.stat().st_mode & 0o777 for one in (path.parent, path.parent.parent)] == [0o700] * 2


def test_the_connection_is_durable_and_holds_its_rules(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store.db")
    found = [
        store._database.rows(f"PRAGMA {name}")[0][0]
        for name in ("journal_mode", "synchronous", "foreign_keys")
    ]
    assert found == ["wal", 2, 1]  # 2 is FULL
    tables = store._database.rows("PRAGMA table_list")
    own = [
        row for row in tables if row["schema"] == "main" and not row["name"].startswith("sqlite_")
    ]
    assert own
    assert all(row["strict"] for row in own)


def test_an_inner_transaction_fails_alone_and_an_outer_one_as_a_whole(store: SqliteStore) -> None:
    with store.transaction():
        store.add_stack(SHOP, "/srv/shop")
        with pytest.raises(RuntimeError):
            record_and_fail(store)
    assert (len(store.stacks()), store.events(None)) == (1, ())
    with pytest.raises(RuntimeError):
        forget_and_fail(store)
    assert (len(store.stacks()), store.events(None)) == (1, ())


def test_a_full_store_refuses_writes_says_why_and_goes_on_reading(store: SqliteStore) -> None:
    add_releases(store, 7)
    fill(store)
    with pytest.raises(OutsideError, match="the disk is full") as refused:
        record_many(store)
    assert (refused.value.subject, refused.value.retryable) == ("store", False)
    assert store.release(SHOP, 7) is not None
    assert [one.number for one in store.releases(SHOP)] == [7]


def test_a_full_store_leaves_nothing_of_an_outer_transaction(store: SqliteStore) -> None:
    fill(store)
    with pytest.raises(OutsideError, match="the disk is full"):
        add_stack_and_record_many(store)
    assert store.stacks() == ()


def test_a_locked_store_is_retryable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    first, second = make_store(tmp_path / "store.db"), make_store(tmp_path / "store.db")
    with first.transaction():
        with pytest.raises(OutsideError, match="another command is writing") as refused:
            second.record(EVENT)
        assert second.stacks() == ()
    assert refused.value.retryable
    second.record(EVENT)


def test_a_new_store_waits_for_the_command_that_makes_it_at_the_same_moment(
    tmp_path: Path,
) -> None:
    path, made = tmp_path / "store.db", list[int]()
    with closing(sqlite3.connect(path, isolation_level=None)) as first:
        first.execute("BEGIN IMMEDIATE")
        second = threading.Thread(target=lambda: made.append(len(make_store(path).stacks())))
        second.start()
        second.join(0.3)
        is_waiting = second.is_alive()
        first.execute("COMMIT")
        second.join(30)
    assert (is_waiting, made) == (True, [0])


def test_copies_that_appear_between_two_looks_are_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"

    def found(_: Path) -> list[Path]:  # what another command has made meanwhile
        path.write_bytes(b"SQLite format 3")
        return [tmp_path / "snapshots/store-000001-20261121T020000Z.db"]

    monkeypatch.setattr(database, "snapshots_in", found)
    database._prepare_file(path)


def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"not a database, and longer than a header" * 200)
    with pytest.raises(OutsideError, match="there is no snapshot of it") as refused:
        make_store(tmp_path / "store.db")
    assert not refused.value.retryable


def test_damage_inside_is_found_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = make_store(path)
    add_releases(store, *range(1, 30))
    assert store.check() == ()
    store.close()
    with path.open("r+b") as file:
        file.seek(-4096 * 3, 2)
        file.write(b"\xff" * 4096 * 3)
    problems: tuple[str, ...] = ()
    try:
        problems = make_store(path).check()
    except errors.StoreUnavailable as error:
        problems = (error.message,)
    assert problems


def test_a_folder_that_cannot_be_made_is_an_outside_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutsideError, match="cannot be made"):
        make_store(tmp_path / "file" / "store.db")


def test_a_disk_too_full_for_the_log_is_no_reason_not_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path / "store.db")
    add_releases(store, 7)
    store.close()
    monkeypatch.setattr(database, "migrate", FailsOnce(migration.migrate, sqlite3.SQLITE_CANTOPEN))
    read_only = make_store(tmp_path / "store.db")
    assert [one.number for one in read_only.releases(SHOP)] == [7]
    with pytest.raises(OutsideError, match="read-only"):
        read_only.record(EVENT)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_real_disk_that_is_full_or_read_only_is_read_all_the_same(
    tmp_path: Path, how: str
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        store = make_store(disk / "store.db")
        add_releases(store, 7)
        store.close()
        use_up(disk) if how == "full" else remount_read_only(disk)
        found = make_store(disk / "store.db")
        assert [one.number for one in found.releases(SHOP)] == [7]
        with pytest.raises(OutsideError, match="read-only") as refused:
            found.record(EVENT)
        found.close()
    assert "berth tick" in str(refused.value.next_command)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "small", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def use_up(disk: Path) -> None:
    with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as file:
        while True:
            file.write(b"0" * 512)


def remount_read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)


class FailsOnce:
    """A function whose first call fails as SQLite does."""

    def __init__(self, function: Callable[..., None], code: int) -> None:
        self.function = function
        self.error: sqlite3.OperationalError | None = sqlite3.OperationalError("as told")
        self.error.sqlite_errorcode = code

    def __call__(self, *values: object) -> None:
        if error := self.error:
            self.error = None
            raise error
        self.function(*values)


def test_a_snapshot_of_a_store_in_use_is_whole_private_and_one_file(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store.db")
    add_releases(store, 6)
    (tmp_path / "copies").mkdir()
    copy = tmp_path / "copies" / "store.db"
    for number in (7, 8):
        add_releases(store, number)
        store.snapshot(copy)
    assert [one.name for one in copy.parent.iterdir()] == ["store.db"]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert make_store(copy).releases(SHOP) == store.releases(SHOP)


def test_a_store_of_a_newer_program_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    make_store(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(OutsideError, match=r"version 99 .* a newer berth wrote it"):
        make_store(path)
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    make_store(path).close()
    bad = tmp_path / "0002_bad.sql"
    bad.write_text("CREATE TABLE half (id INTEGER) STRICT;\nCREATE TABLE stacks (id INTEGER);\n")
    files = (*migration.migrations(), bad)
    with monkeypatch.context() as patch:
        patch.setattr(migration, "migrations", lambda: files)
        with pytest.raises(OutsideError, match="stacks already exists"):
            make_store(path)
    store = make_store(path)
    assert store._database.rows("SELECT 1 FROM sqlite_schema WHERE name = 'half'") == []


def test_two_programs_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    make_store(path).close()
    behind = sqlite3.connect(path, isolation_level=None)
    with closing(behind):
        migration._apply(behind, 1)  # as if it had read version 0 just before the other one began
        assert behind.execute("PRAGMA user_version").fetchone()[0] == len(migration.migrations())


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("v*.sql")), ids=lambda file: file.stem)
def test_a_store_of_every_earlier_version_can_be_read(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        connection.executescript(file.read_text())
    store = make_store(tmp_path / "store.db")
    assert store.check() == ()
    assert [(one.id, one.live) for one in store.stacks()] == [(SHOP, 7)]
    release = store.release(SHOP, 7)
    assert release is not None
    assert release.label == "r7"
    assert [one.label for one in store.deployments(None)] == ["d1"]
    assert [row.state for row in store.journal(1)] == ["started", "succeeded"]
    assert store.subnets() == {"shop-prod-r7-net": "10.201.0.0/27"}
    assert store.next_release_number(SHOP) == 8
    assert store.acquire_lease(str(SHOP), holder="bob", seconds=60).fence == 2


def test_opening_the_store_imports_nothing_slow() -> None:
    code = (
        "import sys, berthmaster.adapters.store;"
        "print(*{'pydantic', 'aiohttp', 'cryptography', 'asyncio', 'rich'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
