"""What every `ReleaseFiles` keeps to: the real one and its twin."""

from pathlib import Path

import pytest
from tests import builders

from berthmaster.adapters.files.state_files import StateFiles
from berthmaster.domain.errors import Bug, NotAllowed, OutsideError
from berthmaster.domain.release import FileCopy
from berthmaster.ports.files import ReleaseFiles
from berthmaster.testing.files import FakeFiles


@pytest.fixture(params=["real", "twin"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> ReleaseFiles:
    return FakeFiles() if request.param == "twin" else StateFiles(tmp_path / "state")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    (folder / "app.conf").write_text("one")
    (folder / "sub" / "more.conf").write_text("two")
    return folder


def test_the_same_content_has_the_same_digest_and_another_has_another(
    files: ReleaseFiles, source: Path
) -> None:
    first, folder = files.keep(source / "app.conf"), files.keep(source)
    assert files.keep(source / "app.conf") == first != folder
    (source / "app.conf").write_text("changed")
    assert files.keep(source / "app.conf") != first
    assert files.keep(source) != folder


def test_a_link_that_leaves_the_folder_is_refused(files: ReleaseFiles, source: Path) -> None:
    (source / "sub" / "link").symlink_to("/etc/hostname")
    with pytest.raises(NotAllowed, match="symbolic link"):
        files.keep(source)
    with pytest.raises(NotAllowed, match="symbolic link"):
        files.keep(source / "sub" / "link")


def test_a_secret_without_its_content_is_a_bug(files: ReleaseFiles) -> None:
    release = builders.release(files=(FileCopy("secrets/key", "", 0o400, is_secret=True),))
    with pytest.raises(Bug, match="secrets/key"):
        files.place(release, {})


def test_a_content_that_is_gone_is_an_outside_error(files: ReleaseFiles) -> None:
    release = builders.release(files=(FileCopy("files/a", "0" * 64),))
    with pytest.raises(OutsideError, match="missing"):
        files.place(release, {})


def test_placing_and_removing_twice_equal_once(files: ReleaseFiles, source: Path) -> None:
    release = builders.release(files=(FileCopy("files/etc", files.keep(source)),))
    for _ in range(2):
        files.place(release, {})
    for _ in range(2):
        files.remove(release.stack.project, release.number)


def test_a_stack_may_be_named_by_its_address_or_by_its_project(files: ReleaseFiles) -> None:
    assert files.release_folder("shop@prod", 7) == files.release_folder("shop-prod", 7)
    assert files.dump_folder("shop@prod") == files.dump_folder("shop-prod")
    assert files.release_folder("shop-prod", 7).is_absolute()


def test_content_that_no_release_needs_is_found_and_forgotten(
    files: ReleaseFiles, source: Path
) -> None:
    digest = files.keep(source / "app.conf")
    assert files.unused_content({digest}, min_age_seconds=0) == ()
    assert files.unused_content(set()) == ()  # too young
    assert files.unused_content(set(), min_age_seconds=0) == (digest,)
    files.forget_content([digest, digest])
    assert files.unused_content(set(), min_age_seconds=0) == ()
