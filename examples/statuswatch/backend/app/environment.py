"""Typed access to environment variables; a secret may come as NAME or as a file named by NAME_FILE.

Nothing here raises: what cannot be read is collected in `problems`, so that production can name every problem at once.
"""

import os
from pathlib import Path

problems: list[str] = []

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})


def text(name: str, default: str = "") -> str:
    """Return the variable; NAME_FILE, when set, wins because a mounted secret is the deliberate choice."""
    path = os.environ.get(f"{name}_FILE", "")
    if path:
        return _read_secret(name, path)
    return os.environ.get(name, "") or default


def flag(name: str, default: bool = False) -> bool:
    """Return a yes/no variable."""
    value = os.environ.get(name, "").strip().lower()
    if not value:
        return default
    if value not in _TRUE | _FALSE:
        problems.append(f"{name} must be true or false, not {value!r}")
    return value in _TRUE


def number(name: str, default: int) -> int:
    """Return a whole number that is not negative."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    if not value.isdecimal():
        problems.append(f"{name} must be a whole number, not {value!r}")
        return default
    return int(value)


def words(name: str, default: str = "") -> list[str]:
    """Return a list separated by commas, without empty items."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def _read_secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        problems.append(f"{name}_FILE names {path}, which uid {os.getuid()} cannot read ({type(exc).__name__})")
        return ""
