"""Whether what a deploy reads is committed: asked of real repositories, small ones."""

import subprocess
from pathlib import Path

import pytest

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.adapters.berthfile.inputs import artifact_inputs
from berthmaster.ports.checkout import Checkout

BERTHFILE = (
    "app: shop\nenvironments:\n  dev: {compose: compose.yaml}\n  prod: {compose: compose.yaml}\n"
)
COMPOSE = """\
services:
  web: {image: "shop:1", volumes: ["./conf:/conf:ro"]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    for name, text in (("berth.yaml", BERTHFILE), ("compose.yaml", COMPOSE), ("conf/a", "a")):
        (tmp_path / name).write_text(text)
    return tmp_path


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "all")


def seen(folder: Path) -> Checkout | None:
    specs = BerthfileSpecs()
    return specs.checkout(specs.read(folder))


def test_outside_a_repository_nobody_can_tell(folder: Path) -> None:
    assert seen(folder) is None


def test_a_clean_checkout_has_neither_changes_nor_strangers(folder: Path) -> None:
    commit(folder)
    assert seen(folder) == Checkout()


def test_a_changed_file_is_named_from_the_apps_folder(folder: Path) -> None:
    commit(folder)
    (folder / "conf/a").write_text("b")
    assert seen(folder) == Checkout(changed=("conf/a",))


@pytest.mark.requirement("R317")
def test_a_file_that_is_read_and_in_no_commit_is_named(folder: Path) -> None:
    commit(folder)
    (folder / "conf/b").write_text("b")
    (folder / "notes.txt").write_text("nobody reads it")
    assert seen(folder) == Checkout(untracked=("conf/b",))


def test_secrets_and_env_files_belong_into_no_commit(folder: Path) -> None:
    commit(folder)
    (folder / "secrets/prod").mkdir(parents=True)
    (folder / "secrets/prod/key").write_text("k")
    (folder / ".env.prod").write_text("A=1\n")
    assert seen(folder) == Checkout()


def test_what_is_ignored_or_compiled_below_a_folder_is_nobodys_work(folder: Path) -> None:
    (folder / ".gitignore").write_text("*.log\n")
    commit(folder)
    before = artifact_inputs(BerthfileSpecs().read(folder))
    (folder / "conf/__pycache__").mkdir()
    (folder / "conf/__pycache__/a.pyc").write_bytes(b"1")
    assert artifact_inputs(BerthfileSpecs().read(folder)) == before
    (folder / "conf/x.log").write_text("x")
    assert seen(folder) == Checkout()


def test_a_file_that_is_named_itself_must_be_committed_though_ignored(folder: Path) -> None:
    (folder / ".gitignore").write_text("compose.yaml\n")
    commit(folder)
    assert seen(folder) == Checkout(untracked=("compose.yaml",))


def test_an_app_below_the_top_of_its_repository_is_looked_at_alone(folder: Path) -> None:
    app = folder / "app"
    app.mkdir()
    for name in ("berth.yaml", "compose.yaml", "conf"):
        (folder / name).rename(app / name)
    (folder / "other.txt").write_text("1")
    commit(folder)
    (folder / "other.txt").write_text("2")
    assert seen(app) == Checkout()


def test_a_folder_that_the_repository_ignores_is_outside_of_it(folder: Path) -> None:
    (folder / ".gitignore").write_text("*\n")
    git(folder, "init", "-q")
    assert seen(folder) is None


def test_a_repository_without_a_commit_cannot_tell(folder: Path) -> None:
    git(folder, "init", "-q")
    found = seen(folder)
    assert found is not None
    assert found.problem
