"""Seal and open with AES-256-GCM under one key, which lies in a file apart from the store.

A copy of the store alone is therefore worth nothing; a backup needs both. The key never leaves this
module: it is in no error, no repr and no argument.
"""

import base64
import binascii
import hashlib
import hmac
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from berthmaster.adapters.synced import sync
from berthmaster.adapters.vault.errors import VaultFailed

_MAGIC: Final = b"BMV1"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12  # the size that AES-GCM is defined for (NIST SP 800-38D, 8.2)
_ID_BYTES: Final = 8
_HEAD_BYTES: Final = len(_MAGIC) + _ID_BYTES


class KeyFileVault:
    """Encrypt with the key in `key_path`, made on first use: mode 0600, owned by who runs this.

    The sealed bytes name their key, so that a wrong one is told from damage.
    """

    def __init__(self, key_path: Path) -> None:
        self._path = key_path
        self._passing_key = os.urandom(_KEY_BYTES)

    def seal(self, plain: bytes) -> bytes:
        """Encrypt; makes the key when there is none yet."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if not os.path.lexists(self._path):
            _make_key(self._path)
        key = self._key()
        head, nonce = _MAGIC + _key_id(key), os.urandom(_NONCE_BYTES)
        return head + nonce + AESGCM(key).encrypt(nonce, plain, head)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt.

        Raises `VaultFailed` when the key is missing or another one, or the bytes changed.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self._key()
        head, rest = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES:]
        self._check_head(head, key)
        try:
            return AESGCM(key).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], head)
        except (InvalidTag, ValueError) as error:
            raise VaultFailed(
                "the sealed values are damaged: put back the last snapshot of the store"
            ) from error

    def mark(self, plain: bytes) -> str:
        """HMAC-SHA256 under a key of its own that is derived from the key; 64 digits.

        Without a key, marks are good for this run only: looking at things makes no key.
        """
        key = self._key() if os.path.lexists(self._path) else self._passing_key
        own = hmac.digest(key, b"berthmaster mark", "sha256")
        return hmac.digest(own, plain, "sha256").hex()

    def _check_head(self, head: bytes, key: bytes) -> None:
        if not head.startswith(_MAGIC) or len(head) < _HEAD_BYTES:
            raise VaultFailed(
                "the sealed values are damaged, or a newer berth sealed them:"
                " put back the last snapshot of the store, or install that version"
            )
        wanted, have = head[len(_MAGIC) :], _key_id(key)
        if wanted != have:
            raise VaultFailed(
                f"these values were sealed with key {wanted.hex()}, but {self._path} holds key"
                f" {have.hex()}: put the right key file back, it belongs to the store's backup",
                next_command=_put_back(self._path),
            )

    def _key(self) -> bytes:
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise VaultFailed(
                f"the key {self._path} cannot be read ({error.strerror}): run as root, or put it"
                " back from the backup; without it no recorded secret can be opened",
                next_command=_put_back(self._path),
            ) from error
        with open(handle, "rb") as file:
            _check_owner(self._path, os.fstat(handle))
            return _parse(self._path, file.read(1024))


def _make_key(path: Path) -> None:
    """Write a new key, whole or not at all; when two do it at once, the first one's stays."""
    try:
        for missing in reversed([one for one in path.parents if not one.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".key-", dir=path.parent) as folder:
            part = Path(folder) / "key"
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with open(handle, "wb") as file:
                file.write(base64.b64encode(os.urandom(_KEY_BYTES)) + b"\n")
                file.flush()
                os.fsync(handle)
            with suppress(FileExistsError):
                os.link(part, path)
        sync(path.parent)
    except OSError as error:
        raise VaultFailed(
            f"the key {path} cannot be made: {error.strerror}; run as root"
        ) from error


def _check_owner(path: Path, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise VaultFailed(f"the key {path} is not a plain file")
    if state.st_uid not in (0, os.geteuid()):
        raise VaultFailed(
            f"the key {path} belongs to uid {state.st_uid}: chown root {path},"
            " and think about who read it",
            next_command=f"chown root {path}",
        )
    if state.st_mode & 0o077:
        raise VaultFailed(
            f"the key {path} is open to others (mode {state.st_mode & 0o777:04o}):"
            f" chmod 600 {path}, and think about who read it",
            next_command=f"chmod 600 {path}",
        )


def _parse(path: Path, data: bytes) -> bytes:
    try:
        key = base64.b64decode(data.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise VaultFailed(
            f"the key {path} is damaged: put the key file back from the backup",
            next_command=_put_back(path),
        )
    return key


def _put_back(path: Path) -> str:
    return f"install -m 0600 BACKUP/{path.name} {path}"


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"berthmaster key id\0" + key).digest()[:_ID_BYTES]
