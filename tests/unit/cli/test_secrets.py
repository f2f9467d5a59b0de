"""`berth secrets` as it is typed: nothing shown, nothing in an argument, exit codes that tell."""

import io
from pathlib import Path
from typing import Any

import pytest
from tests.unit.services.secretapp import STRIPE, SecretApp, complete_app, secret_app

from berthmaster.cli.invocation import Invocation
from berthmaster.cli.main import main
from berthmaster.settings import Settings

GOOD = "kB7vQ2mZ9xW4tR8nL3pJ6hF5dS1gA0cY"


class Typed:
    """Types at an app and keeps everything that was said."""

    def __init__(self, app: SecretApp, capsys: pytest.CaptureFixture[str], patch: Any) -> None:
        self.app = app
        self.said = ""
        self._capsys, self._patch = capsys, patch

    def __call__(self, *words: str, given: bytes = b"") -> int:
        self._patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
        self._capsys.readouterr()
        invocation = Invocation(
            self.app.folder,
            given=self.app.outside,
            given_settings=Settings(state_folder=self.app.folder / "state"),
        )
        code = main(["secrets", *words], invocation)
        out, err = self._capsys.readouterr()
        self.out, self.err = out, err
        self.said += out + err
        return code

    def leaks(self) -> list[str]:
        """Values that anything printed."""
        values = [
            value for name in ("dev", "stage", "prod") for value in self.app.values(name).values()
        ]
        return [value for value in values if value and value in self.said]


@pytest.fixture
def typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Typed:
    return Typed(complete_app(tmp_path), capsys, monkeypatch)


def test_every_command_shows_names_and_never_a_value(typed: Typed) -> None:
    for words in (("init", "prod"), ("list",), ("list", "prod"), ("check",), ("check", "prod")):
        assert typed(*words) == 0, typed.said
        assert typed(*words, "--json") == 0
    assert typed("set", "prod", "STRIPE_SECRET_KEY", given=f"{STRIPE}new\n".encode()) == 0

    assert "STRIPE_SECRET_KEY" in typed.said
    assert typed.leaks() == []


def test_init_says_what_only_a_person_can_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = Typed(secret_app(tmp_path), capsys, monkeypatch)
    assert typed("init", "prod") == 0

    assert "made      secrets/prod/SECRET_KEY  key (guessed from its name)" in typed.out
    assert "berth secrets set prod STRIPE_SECRET_KEY" in typed.out
    assert "write SITE_NAME=... into .env.prod" in typed.out


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (GOOD.encode() + b"\n", GOOD.encode()),
        (GOOD.encode() + b"\r\n", GOOD.encode()),
        (b"$A '\"" + GOOD.encode(), b"$A '\"" + GOOD.encode()),
        (GOOD.encode() + b"\nline\n", GOOD.encode() + b"\nline\n"),
    ],
)
def test_set_takes_one_line_without_its_end_and_more_as_they_are(
    typed: Typed, given: bytes, kept: bytes
) -> None:
    assert typed("set", "prod", "db_password", given=given) == 0

    assert typed.app.secret("db_password").read_bytes() == kept
    assert typed.leaks() == []


def test_a_value_is_no_argument(typed: Typed) -> None:
    assert typed("set", "prod", "db_password", GOOD) == 2


def test_a_refused_value_ends_with_2_and_can_be_forced(typed: Typed) -> None:
    assert typed("set", "prod", "db_password", given=b"changeme\n") == 2
    assert "nothing was written" in typed.err
    assert typed("set", "prod", "db_password", "--force", given=b"changeme\n") == 0
    assert typed("check", "prod") == 2
    assert "placeholder" in typed.out
    assert "berth secrets rotate prod db_password" in typed.out


def test_list_shows_equal_values_as_equal_marks(typed: Typed) -> None:
    typed.app.secret("db_password").write_text(typed.app.values("stage")["db_password"])
    assert typed("list") == 0
    marks = {
        (line.split()[0], line.split()[1]): line.split()[3]
        for line in typed.out.replace(" ?", "").splitlines()
        if " db_password " in line
    }

    assert marks["prod", "db_password"] == marks["stage", "db_password"]
    assert marks["prod", "db_password"] != marks["dev", "db_password"]
    assert typed("check", "prod") == 2
    assert "has the same value as db_password in stage" in typed.out
    assert typed.leaks() == []


def test_without_a_key_everything_but_the_comparison_works(typed: Typed) -> None:
    typed.app.vault.has_wrong_key = True
    assert typed("list", "prod") == 0
    assert typed("check", "prod") == 3
    assert "not compared" in typed.err


def test_rotate_without_a_release_writes_a_new_value(typed: Typed) -> None:
    before = typed.app.values()
    assert typed("rotate", "prod", "db_password") == 0
    after = typed.app.values()

    assert {name for name in before if before[name] != after[name]} == {"db_password"}
    assert "berth deploy shop@prod" in typed.out
    assert typed("rotate", "prod", "db_cert") == 0
    assert typed.app.values()["db_key"] != after["db_key"]
    assert typed.leaks() == []


def test_rotate_makes_nothing_that_somebody_else_issues(typed: Typed) -> None:
    assert typed("rotate", "prod", "STRIPE_SECRET_KEY") == 2
    assert "berth secrets rotate shop@prod STRIPE_SECRET_KEY --given" in typed.err
    new = f"{STRIPE}other\n".encode()
    assert typed("rotate", "prod", "STRIPE_SECRET_KEY", "--given", given=new) == 0
    assert typed.app.values()["STRIPE_SECRET_KEY"] == f"{STRIPE}other"


def test_an_unknown_environment_or_name_is_named_with_what_there_is(typed: Typed) -> None:
    assert typed("list", "production") == 2
    assert "dev, prod, stage" in typed.err
    assert typed("rotate", "prod", "db_pasword") == 2
    assert "Did you mean db_password?" in typed.err
