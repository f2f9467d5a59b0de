"""The login of a storage, out of a file that nobody else can read; never in an argument."""

import stat
from collections.abc import Mapping
from pathlib import Path

from berthmaster.domain.errors import InvalidSpec


def read_credentials(path: Path | None) -> Mapping[str, str]:
    """`NAME=value` lines; raises `InvalidSpec` for a file that is open to others or not there."""
    if path is None:
        return {}
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InvalidSpec(f"{path} is open to others", next_command=f"chmod 600 {path}")
        lines = path.read_text().splitlines()
    except OSError as error:
        raise InvalidSpec(f"{path} cannot be read: {error.strerror}") from error
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}
