"""Where backups may go, and how restic is told."""

import pytest

from berthmaster.adapters.restic import parse_target
from berthmaster.adapters.restic.errors import NoRepository, WrongCode, damaged_files, failed
from berthmaster.domain.errors import InvalidSpec


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        ("/srv/backups", "/srv/backups"),
        ("ssh://vault/srv/b", "sftp:vault:/srv/b"),
        ("ssh://ann@vault:2222/srv/b", "sftp:ann@vault:/srv/b"),
        ("s3:https://s3.example.com/bucket/web1", "s3:https://s3.example.com/bucket/web1"),
    ],
)
def test_a_target_is_named_for_restic(text: str, repository: str) -> None:
    assert parse_target(text).repository == repository


@pytest.mark.parametrize(
    "text",
    [
        "",
        "backups",
        "../up",
        "ssh://",
        "ssh://host",
        "ssh://-oProxyCommand=x/b",
        "s3:bucket",
        "ftp://x/y",
    ],
)
def test_anything_else_is_refused_with_what_may_be_said(text: str) -> None:
    with pytest.raises(InvalidSpec, match="ssh://"):
        parse_target(text)


def test_ssh_asks_nobody_lends_nothing_and_knows_its_host() -> None:
    (_, command) = parse_target("ssh://ann@vault:2222/srv/b").options
    assert command == (
        "sftp.command=ssh -a -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20"
        " -o ServerAliveInterval=15 -o ServerAliveCountMax=4 -p 2222 ann@vault -s sftp"
    )


def test_what_restic_says_becomes_an_error_with_a_way_out() -> None:
    wrong = failed("opening", "/srv", "Fatal: wrong password or no key found")
    absent = failed("opening", "/srv", "Fatal: x\nIs there a repository at the following location?")
    assert isinstance(wrong, WrongCode)
    assert isinstance(absent, NoRepository)


def test_a_damaged_file_is_named_by_its_path() -> None:
    name = "2d3bc09c0ff74a6c59415b5f8447e5daf78684e755e03e76b44044a1ee3f2b16"
    (line,) = damaged_files(
        f"Pack ID does not match, want {name}, got x\nFatal: repository contains errors"
    )
    assert line.startswith(f"data/2d/{name}: ")
