"""The vault: the key is private, named, and never made up where one is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from berthmaster.adapters.vault import KeyFileVault
from berthmaster.domain.errors import OutsideError
from berthmaster.testing.vault import FakeVault


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "state" / "secret.key"


@settings(max_examples=30, deadline=None)
@given(plain=st.binary(max_size=300))
def test_what_was_sealed_opens_again_and_hides_the_plain_text(
    plain: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    vault = KeyFileVault(tmp_path_factory.getbasetemp() / "shared" / "secret.key")
    sealed = vault.seal(plain)
    assert vault.open(sealed) == plain
    assert len(plain) < 16 or plain not in sealed
    assert sealed != vault.seal(plain)


def test_the_key_is_made_on_first_use_for_its_owner_only(key: Path) -> None:
    vault = KeyFileVault(key)
    assert not key.exists()
    sealed = vault.seal(b"x")
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [one.name for one in key.parent.iterdir()] == ["secret.key"]
    assert KeyFileVault(key).open(sealed) == b"x"


def test_a_key_that_is_there_is_never_replaced(key: Path) -> None:
    KeyFileVault(key).seal(b"x")
    before = key.read_bytes()
    KeyFileVault(key).seal(b"y")
    assert key.read_bytes() == before


def test_opening_without_a_key_says_so_and_makes_none(key: Path) -> None:
    sealed = KeyFileVault(key).seal(b"x")
    key.unlink()
    with pytest.raises(OutsideError, match="back from the backup") as refused:
        KeyFileVault(key).open(sealed)
    assert refused.value.subject == "vault"
    assert not key.exists()


def test_another_key_is_told_from_damage(key: Path, tmp_path: Path) -> None:
    vault, other = KeyFileVault(key), KeyFileVault(tmp_path / "other.key")
    sealed = vault.seal(b"x")
    other.seal(b"y")
    with pytest.raises(OutsideError, match=r"sealed with key .* put the right key file back"):
        other.open(sealed)
    for broken in (b"", sealed[:10], sealed[:-1], sealed[:-1] + bytes([sealed[-1] ^ 1]), b"?" * 60):
        with pytest.raises(OutsideError, match="damaged"):
            vault.open(broken)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_is_refused(key: Path, mode: int) -> None:
    vault = KeyFileVault(key)
    vault.seal(b"x")
    key.chmod(mode)
    with pytest.raises(OutsideError, match="chmod 600"):
        vault.seal(b"x")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_another_user_is_refused(key: Path) -> None:
    vault = KeyFileVault(key)
    vault.seal(b"x")
    os.chown(key, 10001, -1)
    with pytest.raises(OutsideError, match="belongs to uid 10001"):
        vault.seal(b"x")


def test_a_link_or_a_damaged_key_is_refused(key: Path, tmp_path: Path) -> None:
    vault = KeyFileVault(key)
    vault.seal(b"x")
    (tmp_path / "link").symlink_to(key)
    with pytest.raises(OutsideError, match="cannot be read"):
        KeyFileVault(tmp_path / "link").seal(b"x")
    key.write_text("c2hvcnQ=\n")
    with pytest.raises(OutsideError, match="is damaged"):
        vault.seal(b"x")


def test_no_error_shows_the_key_or_the_plain_text(key: Path) -> None:
    vault = KeyFileVault(key)
    sealed = vault.seal(b"planted-secret")
    text = key.read_text().strip()
    with pytest.raises(OutsideError) as refused:
        vault.open(sealed[:-1])
    shown = f"{refused.value!r} {refused.value.__cause__!r} {vault!r} {vars(vault)}"
    assert "planted-secret" not in shown
    assert text not in shown


def test_the_library_is_imported_only_when_it_is_used() -> None:
    code = "import sys, berthmaster.adapters.vault; print('cryptography' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_the_twin_finds_a_secret_that_got_out() -> None:
    vault = FakeVault()
    sealed = vault.seal(
        b'{"environment": {"web": {"KEY": "planted-one"}}, "files": "cGxhbnRlZC10d28="}'
    )
    assert b"planted" not in sealed
    assert b"planted-one" in vault.open(sealed)
    assert vault.leaks_in("log: planted-one, planted-two") == ("planted-one", "planted-two")
    assert vault.leaks_in("log: ***") == ()
    with pytest.raises(OutsideError):
        vault.open(b"something else")


def test_a_mark_makes_no_key(tmp_path: Path) -> None:
    vault = KeyFileVault(tmp_path / "secret.key")

    assert vault.mark(b"x") == vault.mark(b"x")
    assert not (tmp_path / "secret.key").exists()


def test_a_key_that_is_missing_or_open_says_what_to_type(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    vault = KeyFileVault(path)
    sealed = vault.seal(b"x")
    path.chmod(0o644)
    with pytest.raises(OutsideError) as refused:
        vault.open(sealed)
    assert refused.value.next_command == f"chmod 600 {path}"
    path.unlink()
    with pytest.raises(OutsideError) as refused:
        vault.open(sealed)
    assert refused.value.next_command == f"install -m 0600 BACKUP/secret.key {path}"
