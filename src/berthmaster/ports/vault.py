"""Encryption at rest, with a key file outside the store."""

from typing import Protocol


class Vault(Protocol):
    def seal(self, plain: bytes) -> bytes: ...

    def open(self, sealed: bytes) -> bytes:
        """Raises `OutsideError` when the key does not fit: the deployment must stop."""
        ...

    def mark(self, plain: bytes) -> str:
        """A keyed hash: equal for equal bytes, and worth nothing without the key.

        Makes no key: without one, marks compare within one run only. Raises `OutsideError` when the
        key cannot be read.
        """
        ...
