"""The fingerprint notices every input and nothing else; revision and `.env` files."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.systems import FOLDER

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.adapters.berthfile.envfile import parse_env
from berthmaster.domain.errors import InvalidSpec

SPECS = BerthfileSpecs()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = tmp_path / "app"
    shutil.copytree(FOLDER / "statuswatch", copied)
    return copied


def fingerprint(folder: Path, **options: str) -> str:
    return SPECS.fingerprint(SPECS.read(folder), "prod", options)


@pytest.mark.parametrize(
    "name",
    [
        "berth.yaml",
        "compose.yaml",
        "docker-compose.production.yml",
        "prod.env",
        "deploy/gunicorn.conf.py",
        "deploy/Caddyfile",
        "secrets/prod/stripe_key",
        "frontend-dist/index.html",
    ],
)
def test_a_change_of_any_input_changes_the_fingerprint(folder: Path, name: str) -> None:
    before = fingerprint(folder)
    (folder / name).write_text((folder / name).read_text() + "# more\n")

    assert fingerprint(folder) != before


@pytest.mark.parametrize("name", ["README.md", "docker-compose.mod.yml", "backend/app.py"])
def test_other_files_change_nothing(folder: Path, name: str) -> None:
    before = fingerprint(folder)
    (folder / name).write_text("services: {}\n")

    assert fingerprint(folder) == before


def test_a_new_file_in_a_site_or_in_the_secrets_folder_counts(folder: Path) -> None:
    first = fingerprint(folder)
    (folder / "frontend-dist" / "new.js").write_text("")
    second = fingerprint(folder)
    (folder / "secrets" / "prod" / "new").write_text("")

    assert len({first, second, fingerprint(folder)}) == 3


def test_options_and_the_environment_count_and_the_folder_does_not(folder: Path) -> None:
    moved = folder.rename(folder.with_name("moved"))
    spec = SPECS.read(moved)

    assert fingerprint(moved) == SPECS.fingerprint(spec, "prod", {})
    assert fingerprint(moved, tag="v2") != fingerprint(moved)
    assert SPECS.fingerprint(spec, "dev", {}) != SPECS.fingerprint(spec, "prod", {})


def test_the_same_content_elsewhere_has_the_same_fingerprint(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)

    assert fingerprint(other) == fingerprint(folder)


def test_a_path_with_a_variable_stands_for_the_folder_it_begins_with(folder: Path) -> None:
    shutil.copytree(FOLDER / "sanctum", folder, dirs_exist_ok=True)
    before = fingerprint(folder)
    (folder / "config" / "config.prod.yml").write_text("port: 1\n")

    assert fingerprint(folder) != before


def test_secret_files_go_by_name_with_and_without_txt(folder: Path) -> None:
    (folder / "secrets" / "prod" / "other.txt").write_text("x")
    (folder / "secrets" / "prod" / ".hidden").write_text("x")
    (folder / "secrets" / "prod" / "link").symlink_to("/etc/passwd")

    found = SPECS.secret_files(SPECS.read(folder), "prod")

    assert sorted(found) == ["other", "other.txt", "stripe_key"]
    spec = replace(SPECS.read(folder), environments={})
    with pytest.raises(InvalidSpec, match="has no environment 'prod'"):
        SPECS.secret_files(spec, "prod")


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", *who, "-C", str(folder), *arguments], check=True, capture_output=True)


def test_the_revision_is_the_commit_and_says_when_files_differ(folder: Path) -> None:
    assert SPECS.revision(folder) is None
    git(folder, "init", "-q")
    assert SPECS.revision(folder) is None
    git(folder, "add", "compose.yaml")
    git(folder, "commit", "-qm", "first")
    clean = SPECS.revision(folder)
    (folder / "compose.yaml").write_text("services: {}\n")

    assert clean is not None
    assert len(clean) == 40
    assert SPECS.revision(folder) == f"{clean}-dirty"


@pytest.mark.requirement("R340")
def test_env_files_are_read_literally() -> None:
    text = (
        "# comment\nA=1\nexport B = two words  # note\nC='p$$w0rd$X # kept'\n"
        'D="line\\nbreak \\"q\\""\nE=\nF\nG=a#b\nH="one\ntwo"\nI: colon\n'
    )

    assert parse_env(text, ".env") == {
        "A": "1",
        "B": "two words",
        "C": "p$$w0rd$X # kept",
        "D": 'line\nbreak "q"',
        "E": "",
        "G": "a#b",
        "H": "one\ntwo",
        "I": "colon",
    }


@pytest.mark.parametrize(("text", "line"), [("A=1\nplanted secret", 2), ("A='planted", 1)])
def test_a_broken_line_is_named_and_not_repeated(text: str, line: int) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse_env(text, ".env")

    assert caught.value.location == f".env:{line}"
    assert "planted" not in caught.value.message


@given(
    st.text(
        st.characters(
            codec="utf-8", exclude_characters="'", exclude_categories=["Cs", "Cc", "Zl", "Zp"]
        )
    )
)
def test_a_single_quoted_value_is_what_it_is(value: str) -> None:
    assert parse_env(f"A='{value}'", ".env") == {"A": value}
