"""What every vault keeps to: the real one and its twin."""

from pathlib import Path

import pytest

from berthmaster.adapters.vault import KeyFileVault
from berthmaster.domain.errors import OutsideError
from berthmaster.ports.vault import Vault
from berthmaster.testing.vault import FakeVault


@pytest.fixture(params=["real", "twin"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    return FakeVault() if request.param == "twin" else KeyFileVault(tmp_path / "secret.key")


@pytest.mark.parametrize("plain", [b"", b"planted-secret", bytes(range(256))])
def test_what_was_sealed_opens_again(vault: Vault, plain: bytes) -> None:
    assert vault.open(vault.seal(plain)) == plain


def test_the_plain_text_is_not_in_what_was_sealed(vault: Vault) -> None:
    assert b"planted-secret" not in vault.seal(b"planted-secret")


def test_what_was_not_sealed_here_is_an_outside_error(vault: Vault) -> None:
    vault.seal(b"x")
    with pytest.raises(OutsideError) as refused:
        vault.open(b"something else")
    assert refused.value.subject == "vault"


def test_a_mark_is_equal_for_equal_bytes_and_shows_nothing(vault: Vault) -> None:
    assert vault.mark(b"planted-secret") == vault.mark(b"planted-secret")
    assert vault.mark(b"planted-secret") != vault.mark(b"another-secret")
    assert "planted" not in vault.mark(b"planted-secret")
