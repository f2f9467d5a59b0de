"""The in-memory twin of the vault: reversible without a key, and it remembers what was secret."""

import base64
import hmac
import json
from collections.abc import Iterator
from typing import Any

from berthmaster.domain.errors import OutsideError

_MARK = b"fake-sealed:"
_SHORTEST = 6  # shorter values (`1`, `true`, `prod`) turn up anywhere and say nothing about a leak


class FakeVault:
    """A `Vault` that tells afterwards whether a secret got out.

    Everything sealed or opened is remembered; `leaks_in` looks for it in any text. Tests set
    `has_wrong_key` to have everything refused.
    """

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.has_wrong_key = False

    def seal(self, plain: bytes) -> bytes:
        """Hide the bytes so that the plain text is not to be found in them."""
        self._remember(plain)
        return _MARK + base64.b85encode(plain[::-1])

    def open(self, sealed: bytes) -> bytes:
        """Give the bytes back; raises `OutsideError` for what was not sealed here."""
        if self.has_wrong_key or not sealed.startswith(_MARK):
            raise OutsideError("the key does not fit these values", subject="vault")
        plain = base64.b85decode(sealed.removeprefix(_MARK))[::-1]
        self._remember(plain)
        return plain

    def mark(self, plain: bytes) -> str:
        """A hash with a key that everybody knows."""
        if self.has_wrong_key:
            raise OutsideError("the key cannot be read", subject="vault")
        self._remember(plain)
        return hmac.digest(b"fake", plain, "sha256").hex()

    def leaks_in(self, text: str) -> tuple[str, ...]:
        """The secrets that a log, plan, record, error or output shows, sorted."""
        return tuple(sorted(secret for secret in self.secrets if secret in text))

    def _remember(self, plain: bytes) -> None:
        text = plain.decode(errors="replace")
        try:
            found = set(_texts(json.loads(text)))
        except ValueError:
            found = {text}
        self.secrets |= {value for value in found if len(value) >= _SHORTEST}


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
            yield from _decoded(value)
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)
        case _:
            return


def _decoded(value: str) -> Iterator[str]:
    # Contents of secret files are in base64 inside the JSON.
    try:
        yield base64.b64decode(value, validate=True).decode()
    except ValueError:
        return
