"""Every way a command can end: its code, what it says, and what it never prints."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.builders import SHOP
from tests.unit.cli.shop import Shop

from berthmaster.cli.failure import redacted_traceback
from berthmaster.domain.errors import Bug, OutsideError
from berthmaster.testing.behaviour import Behaviour

SECRET = "planted-secret-value"


def test_a_finished_command_ends_with_0(live_shop: Shop) -> None:
    assert live_shop.berth("status").code == 0


def test_a_refused_release_ends_with_1_and_says_why_and_what_serves(live_shop: Shop) -> None:
    live_shop.world.engine.script("shop-prod-r1-web-1", Behaviour(exit_code=1))
    live_shop.world.engine.containers["shop-prod-r1-web-1"].end(
        1, live_shop.world.outside.clock.now()
    )
    answer = live_shop.berth("rollback")
    assert answer.code == 1
    assert "cause" in answer.err
    assert "release r2 still serves" in answer.err
    assert "next: berth show" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stauts"], "did you mean `status`?"),
        (["-S", "Server_1", "status"], "not a valid server"),
        (["rollback", "--to", "x7"], "'x7' is no release"),
        (["show", "nosuch@prod"], "there is no stack nosuch@prod"),
        (["logs", "prod", "nosuch"], "shop@prod has no service 'nosuch'"),
        (["destroy", "prod"], "--confirm shop@prod"),
        (["gateway", "down"], "berth gateway down --confirm"),
        (["deploy", "shop@Prod;rm"], "is not a valid environment"),
        (["deploy", "prod", "--all"], "--all takes neither"),
        (["plan", "shop@prod", "--tag", "-x"], "berth"),
    ],
)
def test_a_wrong_request_ends_with_2_and_a_remedy(
    live_shop: Shop, words: list[str], said: str
) -> None:
    answer = live_shop.berth(*words)
    assert answer.code == 2
    assert said in answer.err
    assert answer.out == ""


@pytest.mark.parametrize("words", [[], ["gateway"], ["tenant"]], ids=str)
def test_a_group_alone_shows_its_page_and_no_complaint(live_shop: Shop, words: list[str]) -> None:
    answer = live_shop.berth(*words)
    assert answer.code == 2
    assert answer.err == live_shop.berth(*words, "--help").out


def test_something_outside_that_fails_ends_with_3(live_shop: Shop) -> None:
    live_shop.world.router.failure = OutsideError("the router is gone", subject="gateway")
    answer = live_shop.berth("maintenance", "on")
    assert answer.code == 3
    assert "the router is gone" in answer.err


def test_a_lease_of_somebody_else_ends_with_4_and_names_the_holder(live_shop: Shop) -> None:
    store = live_shop.world.outside.store
    store.acquire_lease(str(SHOP), holder="ben@other (pid 7, `berth deploy`)", seconds=60)
    answer = live_shop.berth("maintenance", "on", "--json")
    assert answer.code == 4
    assert answer.json["error"]["kind"] == "LeaseHeld"
    assert "ben@other" in answer.json["error"]["holder"]


@pytest.mark.parametrize("error", [ValueError(f"bad value '{SECRET}'"), Bug("an invariant broke")])
def test_a_bug_ends_with_70_and_a_file_without_values(
    live_shop: Shop, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = SECRET  # a local of a frame in the traceback

    def crash(*_: object) -> None:
        raise error from KeyError(password)

    monkeypatch.setattr("berthmaster.cli.stack.read_status", crash)
    answer = live_shop.berth("status")
    files = list((live_shop.folder / "state" / "crashes").iterdir())
    assert answer.code == 70
    assert "this is a bug in Berthmaster" in answer.err
    assert [oct(path.stat().st_mode)[-3:] for path in files] == ["600"]
    assert "in crash" in files[0].read_text()
    assert SECRET not in files[0].read_text() + answer.err + answer.out


def test_a_signal_ends_with_130(live_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait(*_: object) -> None:
        import asyncio

        signal.raise_signal(signal.SIGTERM)
        await asyncio.Event().wait()

    monkeypatch.setattr("berthmaster.cli.stack.read_status", wait)
    assert threading.current_thread() is threading.main_thread()
    answer = live_shop.berth("status")
    assert answer.code == 130
    assert "interrupted" in answer.err


def test_an_error_as_json_has_the_same_keys_for_every_kind(live_shop: Shop) -> None:
    usage = live_shop.berth("--json", "stauts").json["error"]
    missing = live_shop.berth("show", "r99", "--json").json["error"]
    assert usage.keys() == missing.keys() == {"kind", "message", "exit_code", "next_command"}
    assert missing["kind"] == "NotFound"
    assert missing["next_command"] == "berth releases shop@prod"


def test_a_traceback_names_frames_and_types_and_no_quoted_text(tmp_path: Path) -> None:
    try:
        int("not 'a' number")
    except ValueError as error:
        text = redacted_traceback(error)
    assert "ValueError" in text
    assert "int(" in text


def test_a_reader_that_goes_away_ends_with_141_and_without_a_word(tmp_path: Path) -> None:
    code = (
        "import sys; from berthmaster.cli.main import main; sys.exit(main(['completion', 'zsh']))"
    )
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.parametrize("is_json", [False, True])
def test_a_terminal_that_is_gone_is_no_bug(tmp_path: Path, is_json: bool) -> None:
    """A pseudo terminal whose other end is closed answers every write with EIO."""
    code = "import sys; from berthmaster.cli.main import main; sys.exit(main(sys.argv[1:]))"
    ours, theirs = os.openpty()
    os.close(ours)
    words = ["--json", "stauts"] if is_json else ["--version"]
    ended = subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        check=False,
    )
    os.close(theirs)
    assert ended.returncode == (2 if is_json else 141)
    assert list(tmp_path.iterdir()) == [], "no crash file"
