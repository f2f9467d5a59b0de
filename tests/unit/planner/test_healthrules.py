"""Healthchecks in both syntaxes, and the programs that they start."""

from typing import Any

import pytest

from berthmaster.domain.container import Image
from berthmaster.planner.healthrules import programs_of
from berthmaster.planner.healthrules import test_of as check_of

IMAGE = Image("sha256:1", (), "", "amd64", 1, healthcheck=("CMD", "pg_isready"))


@pytest.mark.parametrize(
    ("service", "test"),
    [
        ({}, ("CMD", "pg_isready")),
        ({"healthcheck": {"interval": "5s"}}, ("CMD", "pg_isready")),
        ({"healthcheck": {"test": ["CMD", "wget", "-q"]}}, ("CMD", "wget", "-q")),
        ({"healthcheck": {"test": "curl -f x"}}, ("CMD-SHELL", "curl -f x")),
        ({"healthcheck": {"test": ["NONE"]}}, ()),
        ({"healthcheck": {"disable": True}}, ()),
    ],
)
def test_the_files_word_wins_over_the_images(service: dict[str, Any], test: tuple[str]) -> None:
    assert check_of(service, IMAGE) == test


def test_without_image_and_without_a_word_there_is_none() -> None:
    assert check_of({}, None) == ()


@pytest.mark.parametrize(
    ("line", "programs"),
    [
        ("curl -f http://localhost/ || exit 1", ("curl",)),
        ("pg_isready -U app && psql -c 'select 1' | grep -q 1", ("pg_isready", "psql", "grep")),
        ("test -f /tmp/ok", ()),
        ("PGPASSWORD=x psql -c 'select 1'", ("psql",)),
        ("! wget -q http://x; exit $?", ("wget",)),
        ("exec /usr/bin/check --all", ("/usr/bin/check",)),
        ("if curl x; then exit 0; else exit 1; fi", ("curl",)),
        ("$CHECK --all", ()),
        ("(curl x)", ("curl",)),
        ("echo 'unclosed", ()),
    ],
)
def test_programs_of_a_shell_line(line: str, programs: tuple[str, ...]) -> None:
    assert programs_of(("CMD-SHELL", line)) == ("/bin/sh", *programs)


@pytest.mark.parametrize(
    ("words", "programs"),
    [
        (("CMD", "curl", "-f"), ("curl",)),
        (("CMD", "/app/health"), ("/app/health",)),
        (("CMD", "$PROGRAM"), ()),
        (("CMD",), ()),
        ((), ()),
    ],
)
def test_the_program_of_an_argument_vector(
    words: tuple[str, ...], programs: tuple[str, ...]
) -> None:
    assert programs_of(words) == programs
