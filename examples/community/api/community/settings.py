"""What the API is told from outside, and what it refuses to start with.

`check-config`, the container's start and the tests go through the same class, so no script can be stricter or laxer
than the application. A value is read from the variable of its name, else from the file of its name in
`/run/secrets`; a message never holds a value.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL

SECRETS = Path(os.environ.get("SECRETS_DIR", "/run/secrets"))
JWT_LENGTH = 32
# `prefer` and `allow` fall back to plain text in silence, so they count as off.
STRICT_SSL_MODES = ("require", "verify-ca", "verify-full")
# What earlier generators and READMEs of such projects have put there.
PLACEHOLDERS = frozenset(
    {
        "password",
        "postgres",
        "secret",
        "devroot123!",
        "your-super-secret-key-that-should-be-long-and-random",
        "your-secret-key-change-in-production",
    }
)


class Settings(BaseSettings):
    """All settings; stage is held to the same rules as prod."""

    model_config = SettingsConfigDict(
        secrets_dir=SECRETS if SECRETS.is_dir() else None, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    app_env: Literal["dev", "stage", "prod"] = "prod"
    app_version: str = "unknown"
    port: int = Field(8375, ge=1, le=65535)

    jwt_secret: SecretStr = SecretStr("")
    token_minutes: int = Field(720, ge=1)
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    forwarded_allow_ips: str = "127.0.0.1"  # who may say where a request comes from

    db_host: str = "postgres"
    db_port: int = 5432
    db_name: str = "community"
    db_user: str = "community"
    db_password: SecretStr = SecretStr("")
    db_sslmode: str = ""
    db_sslrootcert: Path | None = None
    db_max_open_conns: int = Field(10, ge=1)
    db_max_idle_conns: int = Field(5, ge=1)
    db_conn_lifetime_minutes: int = Field(30, ge=0)
    db_schema_mode: Literal["sql", "hybrid", "auto"] = "sql"
    db_allow_destructive_automigrate: bool = False

    redis_url: str = ""

    dev_bootstrap_root: bool = False
    dev_root_password: SecretStr = SecretStr("")

    signups_per_10_minutes: int = Field(3, ge=1)
    logins_per_5_minutes: int = Field(10, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _split_origins(cls, values: dict[str, Any]) -> dict[str, Any]:
        text = values.get("allowed_origins")
        if isinstance(text, str):
            values["allowed_origins"] = tuple(part.strip() for part in text.split(",") if part.strip())
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = [*self._problems_everywhere(), *([] if self.app_env == "dev" else self._problems_deployed())]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _problems_everywhere(self) -> list[str]:
        found = []
        if not self.jwt_secret.get_secret_value():
            found.append("JWT_SECRET is empty")
        if not self.redis_url:
            found.append("REDIS_URL is empty")
        if self.db_max_idle_conns > self.db_max_open_conns:
            found.append("DB_MAX_IDLE_CONNS is more than DB_MAX_OPEN_CONNS")
        if self.db_sslmode.startswith("verify-") and self.db_sslrootcert is None:
            found.append(f"DB_SSLMODE={self.db_sslmode} needs DB_SSLROOTCERT")
        if self.dev_bootstrap_root and not self.dev_root_password.get_secret_value():
            found.append("DEV_BOOTSTRAP_ROOT needs DEV_ROOT_PASSWORD")
        return found

    def _problems_deployed(self) -> list[str]:
        return [*self._problems_of_secrets(), *self._problems_of_database(), *self._problems_of_origins()]

    def _problems_of_secrets(self) -> list[str]:
        found = []
        jwt, password = self.jwt_secret.get_secret_value(), self.db_password.get_secret_value()
        if is_placeholder(jwt):
            found.append("JWT_SECRET is a placeholder")
        elif len(jwt) < JWT_LENGTH:
            found.append(f"JWT_SECRET is shorter than {JWT_LENGTH} characters")
        if not password:
            found.append("DB_PASSWORD is empty")
        elif is_placeholder(password):
            found.append("DB_PASSWORD is a placeholder")
        if self.dev_bootstrap_root:
            found.append("DEV_BOOTSTRAP_ROOT is for dev only")
        return found

    def _problems_of_database(self) -> list[str]:
        found = []
        if self.db_sslmode not in STRICT_SSL_MODES:
            found.append(f"DB_SSLMODE must be one of {', '.join(STRICT_SSL_MODES)}")
        if self.db_conn_lifetime_minutes < 1:
            found.append("DB_CONN_LIFETIME_MINUTES must be at least 1")
        if self.db_schema_mode != "sql":
            found.append("DB_SCHEMA_MODE must be sql: the schema changes by migrations only")
        if self.db_allow_destructive_automigrate:
            found.append("DB_ALLOW_DESTRUCTIVE_AUTOMIGRATE is for dev only")
        return found

    def _problems_of_origins(self) -> list[str]:
        if not self.allowed_origins:
            return ["ALLOWED_ORIGINS is empty"]
        if any("*" in origin for origin in self.allowed_origins):
            return ["ALLOWED_ORIGINS must name each origin, without *"]
        if self.app_env == "prod" and any(not origin.startswith("https://") for origin in self.allowed_origins):
            return ["ALLOWED_ORIGINS must be https in prod"]
        return []

    @property
    def database_url(self) -> URL:
        """The database with its TLS settings."""
        query = {"sslmode": self.db_sslmode or "prefer", "connect_timeout": "5"}
        if self.db_sslrootcert is not None:
            query["sslrootcert"] = str(self.db_sslrootcert)
        password = self.db_password.get_secret_value()
        return URL.create(
            "postgresql+psycopg", self.db_user, password, self.db_host, self.db_port, self.db_name, query=query
        )


def is_placeholder(value: str) -> bool:
    """Whether a value is one that everybody knows."""
    lowered = value.strip().lower()
    return lowered in PLACEHOLDERS or lowered.replace("-", "_").startswith(("change_me", "changeme"))


def problems_of(error: ValidationError) -> list[str]:
    """What is wrong, a line each and without any value."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part).upper() for part in problem["loc"])
        text = problem["msg"].removeprefix("Value error, ")
        lines += [f"{name}: {text}"] if name else text.splitlines()
    return lines
