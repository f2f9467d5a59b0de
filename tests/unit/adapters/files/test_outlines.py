from pathlib import Path

import pytest

from berthmaster.adapters.files.outlines import Outlines
from berthmaster.domain.domainpolicy import DomainPolicy, Outline
from berthmaster.domain.errors import InvalidSpec

OUTLINE = Outline("shop", {"prod": DomainPolicy("shop.test", may_be_custom=True), "dev": None})


class Reader:
    """Counts how often the whole file was read."""

    def __init__(self, answer: Outline = OUTLINE) -> None:
        self.answer, self.count = answer, 0

    def __call__(self, folder: Path) -> Outline:
        self.count += 1
        return self.answer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    (tmp_path / "app").mkdir()
    (tmp_path / "app/berth.yaml").write_text("app: shop\n")
    return tmp_path / "app"


def outlines(folder: Path) -> Outlines:
    return Outlines(folder.parent / "state")


def test_a_file_that_is_as_it_was_is_not_read_again(folder: Path) -> None:
    reader = Reader()
    assert [outlines(folder).outline(folder, reader) for _ in range(3)] == [OUTLINE] * 3
    assert reader.count == 1


def test_another_content_is_read(folder: Path) -> None:
    reader = Reader()
    outlines(folder).outline(folder, reader)
    (folder / "berth.yaml").write_text("app: blog\n")
    reader.answer = Outline("blog", {})
    assert outlines(folder).outline(folder, reader).app == "blog"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"app": 1}', '{"type": "Outline"}'])
def test_a_damaged_copy_is_read_anew(folder: Path, content: str) -> None:
    outlines(folder).outline(folder, Reader())
    (kept,) = (folder.parent / "state/cache/outlines").iterdir()
    kept.write_text(content)
    reader = Reader()
    assert outlines(folder).outline(folder, reader) == OUTLINE
    assert reader.count == 1


def test_a_file_that_cannot_be_read_is_said_by_the_reader(folder: Path) -> None:
    (folder / "berth.yaml").unlink()

    def refuse(folder: Path) -> Outline:
        raise InvalidSpec("there is no berth.yaml")

    with pytest.raises(InvalidSpec):
        outlines(folder).outline(folder, refuse)


def test_without_a_state_folder_nothing_is_kept(folder: Path) -> None:
    (folder.parent / "state").rmdir()
    outlines(folder).outline(folder, Reader())
    assert not (folder.parent / "state").exists()
