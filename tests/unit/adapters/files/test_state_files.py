"""The state folder: owners and modes, all or nothing, nothing that leaves."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests import builders

from berthmaster.adapters.files import writing
from berthmaster.adapters.files.state_files import StateFiles
from berthmaster.domain.errors import InvalidName, NotAllowed, OutsideError
from berthmaster.domain.release import FileCopy, Release

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def files(state: Path) -> StateFiles:
    return StateFiles(state, asset_grace_seconds=0)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def write(folder: Path, **contents: str) -> Path:
    for name, text in contents.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def release(number: int, *copies: FileCopy) -> Release:
    return builders.release(number, files=copies)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def names(folder: Path) -> set[str]:
    return {str(one.relative_to(folder)) for one in folder.rglob("*") if not one.is_dir()}


@ROOT
@pytest.mark.requirement("R338")
def test_a_secret_is_readable_for_its_uid_through_a_bind_of_the_file_and_for_nobody_by_path(
    files: StateFiles, state: Path
) -> None:
    copy = FileCopy("secrets/10001/key", "", 0o400, uid=10001, is_secret=True)
    files.place(release(7, copy), {"secrets/10001/key": b"planted"})
    path = files.release_folder("shop-prod", 7) / "secrets/10001/key"
    assert (path.stat().st_uid, mode(path)) == (10001, 0o400)
    closed = [one for one in path.parents if one.is_relative_to(state)]
    assert {(one.stat().st_uid, mode(one)) for one in closed} == {(0, 0o700)}
    assert can_read(path, 10001) is False  # by its path on the host
    assert can_read_open_file(path, 10001) is True  # as a bind mount shows it
    assert can_read_open_file(path, 10002) is False


def can_read(path: Path, uid: int) -> bool:
    return _as_user(uid, lambda: path.open().close())


def can_read_open_file(path: Path, uid: int) -> bool:
    handle = os.open(path, os.O_PATH)  # reaches the file without its folders, as a mount does
    try:
        return _as_user(uid, lambda: Path(f"/proc/self/fd/{handle}").open().close())
    finally:
        os.close(handle)


def _as_user(uid: int, read: Any) -> bool:
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            read()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_folder_is_written_out_with_modes_links_and_empty_folders(
    files: StateFiles, source: Path
) -> None:
    write(source, conf="x", run="#!/bin/sh")
    (source / "run").chmod(0o755)
    (source / "empty").mkdir()
    (source / "current").symlink_to("conf")
    files.place(release(7, FileCopy("files/etc", files.keep(source))), {})
    placed = files.release_folder("shop-prod", 7) / "files/etc"
    assert (mode(placed), mode(placed / "conf"), mode(placed / "run")) == (0o755, 0o444, 0o555)
    assert (placed / "current").readlink() == Path("conf")
    assert (placed / "empty").is_dir()


def test_the_digest_of_a_folder_does_not_depend_on_where_it_lies_or_on_the_umask(
    files: StateFiles, source: Path, tmp_path: Path
) -> None:
    write(source, a="1", b__c="2")
    copy = shutil.copytree(source, tmp_path / "elsewhere")
    (copy / "a").chmod(0o600)
    assert files.keep(copy) == files.keep(source)
    (copy / "a").chmod(0o700)
    assert files.keep(copy) != files.keep(source)


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "sub/../../outside"])
def test_links_out_of_a_folder_are_refused(files: StateFiles, source: Path, target: str) -> None:
    write(source.parent, outside="x")
    write(source, sub__a="x")
    (source / "link").symlink_to(target)
    with pytest.raises(NotAllowed, match=r"link is a symbolic link to .* outside"):
        files.keep(source)


def test_a_pipe_is_refused_without_waiting_for_it(files: StateFiles, source: Path) -> None:
    os.mkfifo(source / "pipe")
    with pytest.raises(NotAllowed, match="neither a file nor a folder"):
        files.keep(source)
    with pytest.raises(NotAllowed, match="neither a file nor a folder"):
        files.keep(source / "pipe")


def test_a_missing_source_is_an_outside_error_that_names_it(
    files: StateFiles, source: Path
) -> None:
    with pytest.raises(OutsideError, match=r"source/gone: it is not there"):
        files.keep(source / "gone")


@pytest.mark.parametrize("target", ["../a", "/a", "a//b", "a/../b", "a\nb", "", ".", "a/"])
def test_a_target_that_could_leave_the_release_is_refused(files: StateFiles, target: str) -> None:
    copy = FileCopy(target, "", is_secret=True)
    with pytest.raises(InvalidName, match="not a valid path"):
        files.place(release(7, copy), {target: b"x"})


def test_a_release_appears_whole_or_not_at_all(
    files: StateFiles, source: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(source, a="1", b="2")
    made = release(7, *(FileCopy(f"files/{name}", files.keep(source / name)) for name in "ab"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fchmod", FailsAt(2, os.fchmod))
        with pytest.raises(OutsideError, match="the disk is full"):
            files.place(made, {})
    assert list((state / "stacks/shop-prod").iterdir()) == []
    files.place(made, {})
    assert names(files.release_folder("shop-prod", 7)) == {"files/a", "files/b"}


class FailsAt:
    """A function whose n-th call finds the disk full."""

    def __init__(self, number: int, function: Any) -> None:
        self.calls = 0
        self.number = number
        self.function = function

    def __call__(self, *values: Any) -> Any:
        self.calls += 1
        if self.calls == self.number:
            raise OSError(28, "No space left on device")
        return self.function(*values)


def test_what_a_killed_run_left_is_removed_by_the_next(
    files: StateFiles, source: Path, state: Path
) -> None:
    write(source, a="1")
    (state / "stacks/shop-prod/.r7.killed").mkdir(parents=True)
    files.place(release(7, FileCopy("files/a", files.keep(source / "a"))), {})
    assert [one.name for one in (state / "stacks/shop-prod").iterdir()] == ["r7"]


def test_placing_again_leaves_what_is_there_and_brings_back_what_is_missing(
    files: StateFiles, source: Path
) -> None:
    write(source, a="1", b="2")
    made = release(7, *(FileCopy(f"files/{name}", files.keep(source / name)) for name in "ab"))
    files.place(made, {})
    placed = files.release_folder("shop-prod", 7) / "files"
    inode = (placed / "a").stat().st_ino
    files.place(made, {})
    assert (placed / "a").stat().st_ino == inode
    (placed / "b").unlink()
    files.place(made, {})
    assert (placed / "b").read_text() == "2"


@pytest.fixture
def sites(files: StateFiles, source: Path) -> dict[int, Release]:
    made = {}
    for number, mark in ((6, "AAAA1111"), (7, "BBBB2222")):
        folder = source / str(number)
        write(folder, index="page")
        write(folder / "assets", **{"logo.svg": "logo", f"index-{mark}.js": mark})
        made[number] = release(number, FileCopy("sites/web", files.keep(folder)))
        files.place(made[number], {})
    return made


@pytest.mark.usefixtures("sites")
def test_old_pages_find_their_assets_in_the_pool_of_all_releases(state: Path) -> None:
    top = state / "sites/shop-prod"
    assert names(top / "_assets") == {"assets/index-AAAA1111.js", "assets/index-BBBB2222.js"}
    assert names(top / "r7/web") == {"index", "assets/logo.svg", "assets/index-BBBB2222.js"}
    folders = [top.parent, top, top / "r7", top / "r7/web", top / "_assets", top / "_assets/assets"]
    assert {mode(folder) for folder in folders} == {0o755}
    assert {mode(top / "r7/web" / name) for name in names(top / "r7/web")} == {0o444}


@pytest.mark.usefixtures("sites")
def test_an_asset_leaves_the_pool_after_its_last_release_and_the_grace(
    files: StateFiles, state: Path
) -> None:
    pool = state / "sites/shop-prod/_assets"
    StateFiles(state).remove("shop-prod", 6)
    assert "assets/index-AAAA1111.js" in names(pool)
    files.remove("shop-prod", 6)
    assert names(pool) == {"assets/index-BBBB2222.js"}
    files.remove("shop-prod", 7)
    assert not (state / "sites/shop-prod").exists()
    assert not (state / "stacks/shop-prod").exists()


@pytest.mark.parametrize(
    ("path", "is_asset"),
    [
        ("assets/index-BhX3kQ9a.js", True),
        ("main.3f2a9c1b.chunk.js", True),
        ("_next/static/chunks/abcdefgh.css", True),
        ("assets/font-abcdefgh.woff2", True),
        ("index.html", False),
        ("assets/page-AAAA1111.html", False),
        ("service-worker.js", False),
        ("apple-touch-icon.png", False),
        ("manifest.webmanifest", False),
        ("jquery-something.js", False),
    ],
)
def test_only_names_with_a_content_hash_are_shared(path: str, is_asset: bool) -> None:
    assert writing.is_hashed_asset(path) is is_asset


def test_files_of_a_kept_folder_are_in_use(files: StateFiles, source: Path) -> None:
    write(source, a="1")
    folder, alone = files.keep(source), files.keep(write(source, b="2") / "b")
    assert files.unused_content({folder}, min_age_seconds=0) == (alone,)


def test_keeping_again_makes_a_content_young_again(
    files: StateFiles, source: Path, state: Path
) -> None:
    digest = files.keep(write(source, a="1") / "a")
    os.utime(state / "content" / digest, (0, 0))
    assert files.unused_content(set()) == (digest,)
    files.keep(source / "a")
    assert files.unused_content(set()) == ()


def test_dumps_logs_and_contents_are_private(files: StateFiles, source: Path, state: Path) -> None:
    digest = files.keep(write(source, a="1") / "a")
    log = files.log_path(41, 3)
    assert log == state / "logs/d41/3.log"
    folders = [
        files.dump_folder("shop@prod/acme"),
        log.parent,
        log.parent.parent,
        state / "content",
    ]
    assert folders[0] == state / "dumps/shop-prod-acme"
    assert {mode(folder) for folder in folders} == {0o700}
    assert mode(state / "content" / digest) == 0o600


@pytest.mark.parametrize("stack", ["../x", "", "Shop", "a/b", "x\n"])
def test_a_name_that_is_no_stack_is_refused(files: StateFiles, stack: str) -> None:
    with pytest.raises(InvalidName):
        files.release_folder(stack, 7)


def test_one_restore_point_is_forgotten_and_the_others_stay(tmp_path: Path) -> None:
    files = StateFiles(tmp_path / "state")
    folder = files.dump_folder("shop-prod")
    for name in ("before-r7", "backup-db-1"):
        (folder / name).mkdir()
    files.forget_dump("shop-prod", "backup-db-1")
    files.forget_dump("shop-prod", "backup-db-1")
    assert [path.name for path in folder.iterdir()] == ["before-r7"]
