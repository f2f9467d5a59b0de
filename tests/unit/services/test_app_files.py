"""What names of files and commits mean."""

from pathlib import Path

import pytest

from berthmaster.domain.errors import NotFound, UserError
from berthmaster.services.build_images import tag_of_revision
from berthmaster.services.init_app import find_environments


def test_compose_files_are_told_apart_by_their_names(tmp_path: Path) -> None:
    for name in ("compose.yaml", "docker-compose.production.yml", "compose.stage.yml", "x.yml"):
        (tmp_path / name).touch()
    assert find_environments(tmp_path) == {
        "stage": ("compose.yaml", "compose.stage.yml"),
        "prod": ("compose.yaml", "docker-compose.production.yml"),
        "dev": ("compose.yaml",),
    }


@pytest.mark.parametrize("name", [".env", "compose.yaml"])
def test_one_set_of_secrets_is_one_environment(tmp_path: Path, name: str) -> None:
    (tmp_path / "compose.yaml").touch()
    (tmp_path / name).write_text("secrets:\n")
    assert find_environments(tmp_path) == {"prod": ("compose.yaml",)}


def test_a_folder_without_compose_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no Compose file"):
        find_environments(tmp_path)


@pytest.mark.parametrize(
    ("revision", "tag"),
    [("a" * 40, "a" * 12), ("b" * 40 + "-dirty", "b" * 12 + "-dirty")],
)
def test_images_are_tagged_with_twelve_digits_of_the_commit(revision: str, tag: str) -> None:
    assert tag_of_revision(revision) == tag


def test_without_a_repository_a_tag_must_be_given() -> None:
    with pytest.raises(UserError) as refused:
        tag_of_revision(None)
    assert refused.value.next_command == "berth build ENV --tag NAME"
