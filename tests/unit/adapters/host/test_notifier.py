"""An alert reaches a program as one line; a program that fails or hangs holds nobody up."""

from pathlib import Path

import pytest

from berthmaster.adapters.host.notifier import ProgramNotifier


def program(folder: Path, body: str) -> Path:
    path = folder / "page"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    return path


async def test_the_program_gets_the_line_as_it_is(tmp_path: Path) -> None:
    notifier = ProgramNotifier(program(tmp_path, f"cat >{tmp_path}/got"))
    assert await notifier.tell("$(touch x) it holds 2 GB") is None
    assert (tmp_path / "got").read_text() == "$(touch x) it holds 2 GB\n"


async def test_what_has_several_lines_or_bytes_that_are_no_text_is_one_line(
    tmp_path: Path,
) -> None:
    notifier = ProgramNotifier(program(tmp_path, f"cat >{tmp_path}/got"))
    assert await notifier.tell("web: it said\n  no\r\nat \udcff all") is None
    assert (tmp_path / "got").read_text() == "web: it said no at ? all\n"


@pytest.mark.parametrize(
    ("body", "why"),
    [("exit 3", "exit 3"), ("exec <&-; sleep 60 & sleep 60", "no end in 0.3 s")],
)
async def test_one_that_fails_or_hangs_is_told_of(tmp_path: Path, body: str, why: str) -> None:
    found = await ProgramNotifier(program(tmp_path, body), limit_seconds=0.3).tell("x")
    assert found == f"{tmp_path}/page: {why}"


async def test_one_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    found = await ProgramNotifier(tmp_path / "none").tell("x")
    assert found == f"{tmp_path}/none: No such file or directory"
