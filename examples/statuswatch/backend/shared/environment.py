"""Typed access to environment variables; a secret may come as NAME or as a file named by NAME_FILE.

Nothing here raises: what cannot be read is collected in `problems`, so that production can name every problem at once.
"""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

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
        return default
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


def fraction(name: str, default: float) -> float:
    """Return a share between 0 and 1."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        problems.append(f"{name} must be a number from 0 to 1, not {value!r}")
        return default
    return share


def database() -> dict[str, object]:
    """Return where the database is: DATABASE_URL (or DATABASE_URL_FILE) when set, else POSTGRES_*."""
    url = text("DATABASE_URL")
    if not url:
        return {
            "HOST": text("POSTGRES_HOST", "db"),
            "PORT": number("POSTGRES_PORT", 5432),
            "NAME": text("POSTGRES_DB", "statuswatch"),
            "USER": text("POSTGRES_USER", "statuswatch"),
            "PASSWORD": text("POSTGRES_PASSWORD"),
        }
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError:
        parts, port = urlsplit(""), 5432
    name = unquote(parts.path.removeprefix("/"))
    if parts.scheme not in {"postgres", "postgresql"} or not parts.hostname or not name:
        problems.append("DATABASE_URL must read postgresql://user:password@host:port/name")
    return {
        "HOST": parts.hostname or "",
        "PORT": port,
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
    }


def _read_secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        problems.append(f"{name}_FILE names {path}, which uid {os.getuid()} cannot read ({type(exc).__name__})")
        return ""
