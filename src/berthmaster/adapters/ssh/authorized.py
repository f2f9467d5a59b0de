"""An account's `authorized_keys`: one line for each key, changed whole or not at all."""

import os
import tempfile
from pathlib import Path
from typing import Final

from berthmaster.domain.errors import NotAllowed, OutsideError

_OURS: Final = "serve-request --key "
_AS_IT_IS: Final = "surrogateescape"  # comments are in any encoding


def authorize(path: Path, line: str, key: str) -> bool:
    """Add the line, or put it in the place of an older one of ours; False when it was there.

    Raises `NotAllowed` when the key may already do more than that.
    """
    try:
        text = path.read_text(encoding="utf-8", errors=_AS_IT_IS) if path.exists() else ""
        lines = text.split("\n")[: -1 if text.endswith("\n") else None] if text else []
        kept = []
        for one in lines:
            if key not in one or one.lstrip().startswith("#"):
                kept.append(one)
            elif _OURS not in one:
                raise NotAllowed(
                    f"this key may already log in here ({path}): a limit would stop nothing",
                    next_command="make a key of its own: ssh-keygen -t ed25519 -f deploy_key",
                )
        if [*kept, line] == lines or line in lines:
            return False
        _write(path, [*kept, line])
    except OSError as error:
        raise OutsideError(f"{path}: {error.strerror}", subject=str(path)) from error
    return True


def _write(path: Path, lines: list[str]) -> None:
    folder = path.parent
    owner = folder.stat() if folder.exists() else folder.parent.stat()
    if not folder.exists():
        folder.mkdir(mode=0o700)
        os.chown(folder, owner.st_uid, owner.st_gid)
    handle, part = tempfile.mkstemp(prefix=".keys-", dir=folder)
    try:
        with open(handle, "w", encoding="utf-8", errors=_AS_IT_IS) as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fchmod(handle, 0o600)
            os.fchown(handle, owner.st_uid, owner.st_gid)
            os.fsync(handle)
        Path(part).replace(path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise
