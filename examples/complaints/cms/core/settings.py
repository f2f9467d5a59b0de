"""What an instance is told from outside, and what it refuses to start with.

A secret comes from the variable of its name (a client's `.env`) or from the file that `<NAME>_FILE` names (a mounted
secret). Every problem is found before one message names them all; no message holds a value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

SECRET_LENGTH: Final = 32
PASSWORD_LENGTH: Final = 12
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
# What such files are shipped with and nobody changes.
PLACEHOLDERS: Final = re.compile(r"change[-_ ]?me|your[-_ ]|^(password|postgres|secret|admin|devpass)\d*$", re.I)
SSL_MODES: Final = ("disable", "prefer", "require", "verify-ca", "verify-full")
EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


class BadSettings(Exception):
    """The instance must not start."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"config: {count}, nothing was started", *(f"  - {item}" for item in problems)]))


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one client's instance."""

    environment: str = "production"  # anything but `development` is held to every rule
    version: str = "unknown"
    client: str = "Complaints"  # whose complaints these are; people see it
    public_url: str = ""
    port: int = 8000
    db_host: str = "db"
    db_port: int = 5432
    db_name: str = "cms"
    db_user: str = "cms"
    db_password: str = field(default="", repr=False)
    db_sslmode: str = "prefer"
    db_sslrootcert: str = ""
    db_connections: int = 5  # of the 20 that the client's PostgreSQL has
    jwt_secret: str = field(default="", repr=False)
    access_minutes: int = 10
    refresh_days: int = 14
    admin_email: str = ""
    admin_password: str = field(default="", repr=False)

    @property
    def is_secure(self) -> bool:
        """Whether cookies are for https only."""
        return self.public_url.startswith("https://")

    @property
    def dsn(self) -> dict[str, str | int]:
        """How the database is reached."""
        return {
            "host": self.db_host,
            "port": self.db_port,
            "dbname": self.db_name,
            "user": self.db_user,
            "password": self.db_password,
            "sslmode": self.db_sslmode,
            **({"sslrootcert": self.db_sslrootcert} if self.db_sslrootcert else {}),
            "connect_timeout": 5,
            "application_name": f"cms {self.version}",
        }


def read_settings(variables: Mapping[str, str]) -> Settings:
    """Read and judge all of them; raises BadSettings that names every problem."""
    problems: list[str] = []
    plain = Settings()
    found = Settings(
        environment=variables.get("APP_ENV") or plain.environment,
        version=variables.get("APP_VERSION") or plain.version,
        client=variables.get("CLIENT_NAME") or plain.client,
        public_url=variables.get("PUBLIC_URL", "").rstrip("/"),
        db_host=variables.get("DB_HOST") or plain.db_host,
        db_name=variables.get("DB_NAME") or plain.db_name,
        db_user=variables.get("DB_USER") or plain.db_user,
        db_sslmode=variables.get("DB_SSLMODE") or plain.db_sslmode,
        db_sslrootcert=variables.get("DB_SSLROOTCERT", ""),
        db_password=_secret(variables, "DB_PASSWORD", problems),
        jwt_secret=_secret(variables, "JWT_SECRET", problems),
        admin_email=variables.get("ADMIN_EMAIL", "").strip().lower(),
        admin_password=_secret(variables, "ADMIN_PASSWORD", problems),
        **{name: _number(variables, name, getattr(plain, name), problems) for name in _NUMBERS},
    )
    problems += [*_problems_everywhere(found), *([] if found.environment == "development" else _problems_live(found))]
    if problems:
        raise BadSettings(problems)
    return found


_NUMBERS: Final = {"port": 65535, "db_port": 65535, "db_connections": 100, "access_minutes": 1440, "refresh_days": 365}


def _number(variables: Mapping[str, str], name: str, plain: int, problems: list[str]) -> int:
    text = variables.get(name.upper()) or str(plain)
    if text.isascii() and text.isdigit() and 1 <= int(text) <= _NUMBERS[name]:
        return int(text)
    problems.append(f"{name.upper()} must be a number from 1 to {_NUMBERS[name]}")
    return plain


def _secret(variables: Mapping[str, str], name: str, problems: list[str]) -> str:
    value, path = variables.get(name, ""), variables.get(f"{name}_FILE", "")
    if not path:
        return value
    if value:
        problems.append(f"{name} and {name}_FILE are both set; keep one")
        return value
    try:
        return Path(path).read_text().strip()
    except OSError as exc:
        problems.append(f"{name}_FILE cannot be read: {exc.strerror}")
        return ""


def _problems_everywhere(found: Settings) -> list[str]:
    problems = []
    if found.environment not in ("development", "production"):
        problems.append("APP_ENV must be development or production")
    if found.db_sslmode not in SSL_MODES:
        problems.append(f"DB_SSLMODE must be one of {', '.join(SSL_MODES)}")
    if found.db_sslmode.startswith("verify-") and not found.db_sslrootcert:
        problems.append(f"DB_SSLMODE={found.db_sslmode} needs DB_SSLROOTCERT")
    if not found.db_password:
        problems.append("DB_PASSWORD is empty")
    if not found.jwt_secret:
        problems.append("JWT_SECRET is empty")
    if found.admin_email and not EMAIL.fullmatch(found.admin_email):
        problems.append("ADMIN_EMAIL is no address")
    if found.admin_email and not found.admin_password:
        problems.append("ADMIN_EMAIL needs ADMIN_PASSWORD")
    return problems


def _problems_live(found: Settings) -> list[str]:
    problems = []
    for name, value, length in (
        ("DB_PASSWORD", found.db_password, PASSWORD_LENGTH),
        ("JWT_SECRET", found.jwt_secret, SECRET_LENGTH),
        ("ADMIN_PASSWORD", found.admin_password, PASSWORD_LENGTH),
    ):
        if PLACEHOLDERS.search(value):
            problems.append(f"{name} is a placeholder")
        elif value and len(value) < length:
            problems.append(f"{name} is shorter than {length} characters")
    if found.jwt_secret and found.jwt_secret in (found.db_password, found.admin_password):
        problems.append("JWT_SECRET is used for something else too")
    return [*problems, *_problems_of_url(found.public_url)]


def _problems_of_url(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return ["PUBLIC_URL is no address"]
    if not host or parts.path or parts.scheme not in ("http", "https"):
        return ["PUBLIC_URL must be https:// and the host that people type"]
    if parts.scheme == "http" and host not in LOOPBACK:
        return ["PUBLIC_URL must be https:// (http:// is for localhost only)"]
    return []
