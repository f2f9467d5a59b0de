"""Settings of app services that must not reach production: debug, open hosts, no database TLS.

Pure. Reads the environment values of one service and names variables, never a value of one: the
same variables may hold passwords.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

_TRUE: Final = frozenset({"1", "true", "t", "yes", "y", "on", "*"})
_DEBUG: Final = re.compile(r"(?:.*_)?DEBUG(?:_MODE)?\Z")
_MODES: Final = {"GIN_MODE": "debug"}  # frameworks that have a mode instead of a switch
_ALLOWED_HOSTS: Final = re.compile(r"(?:.*_)?ALLOWED_HOSTS\Z")
_CORS: Final = re.compile(r".*CORS.*ORIGINS?\Z|(?:.*_)?ALLOWED_ORIGINS\Z|CORS.*ALLOW_ALL.*\Z")
_ENVIRONMENTS: Final = ("DJANGO_ENV", "APP_ENV", "RAILS_ENV", "NODE_ENV", "FLASK_ENV", "GO_ENV")
_PRODUCTION: Final = frozenset({"production", "prod"})
_STAGING: Final = frozenset({"staging", "stage"})
_TLS_MODE: Final = re.compile(r".*SSL_?MODE\Z")
_DB_PARTS: Final = frozenset({"DB_HOST", "DB_PASSWORD", "DB_PASSWORD_FILE"})
_DSN: Final = re.compile(r"postgres(?:ql)?(?:\+\w+)?://")
_OFF: Final = frozenset({"", "disable"})
_MAYBE: Final = frozenset({"allow", "prefer"})


@dataclass(frozen=True, slots=True)
class SettingFinding:
    """One variable and what is wrong with it; a doubt stops nothing."""

    variable: str
    evidence: str
    remedy: str
    is_doubt: bool = False


Values = Mapping[str, str]


def find_debug(values: Values) -> Iterator[SettingFinding]:
    """Switches that show tracebacks and settings to visitors."""
    for name, value in sorted(values.items()):
        is_on = bool(_DEBUG.match(name)) and value.strip().lower() in _TRUE
        if is_on or _MODES.get(name) == value.strip().lower():
            yield SettingFinding(name, f"{name} is on", f"take {name} out, or set it to false")


def find_open_hosts(values: Values) -> Iterator[SettingFinding]:
    """Host lists that hold a star: alone it allows every name, before a suffix it matches none."""
    for name, value in sorted(values.items()):
        if not _ALLOWED_HOSTS.match(name):
            continue
        for entry in _entries(value):
            if entry == "*":
                yield SettingFinding(name, f"{name} holds `*`: every host", "list the hosts")
            elif entry.startswith("*."):
                remedy = f"write the suffix with a leading dot: `{entry[1:]}`"
                yield SettingFinding(name, f"{name} holds `{entry}`, which never matches", remedy)


def find_open_origins(values: Values) -> Iterator[SettingFinding]:
    """Cross-origin rules that let every site call with its visitors' rights."""
    for name, value in sorted(values.items()):
        if not _CORS.match(name):
            continue
        is_all = "ALLOW_ALL" in name and value.strip().lower() in _TRUE
        if is_all or "*" in _entries(value):
            yield SettingFinding(name, f"{name} allows every origin", "list the origins")


def find_wrong_environment(
    values: Values, environment: str, *, is_production: bool
) -> Iterator[SettingFinding]:
    """`DJANGO_ENV`, `APP_ENV` and their like that say something else than production.

    Stage may call itself stage, except to Django: there the variable chooses the settings file, and
    stage has to prove the one that prod runs (design 8).
    """
    for name in _ENVIRONMENTS:
        is_strict = is_production or name == "DJANGO_ENV"
        good = _PRODUCTION if is_strict else _PRODUCTION | _STAGING | {environment}
        value = values.get(name)
        if value is not None and value.strip().lower() not in good:
            shown = value if value.strip().isalnum() else "something else"
            yield SettingFinding(name, f"{name} is {shown or 'empty'}", f"set {name}: production")


def find_plain_database(values: Values) -> Iterator[SettingFinding]:
    """Connections to a database without TLS, as far as the settings tell."""
    modes = {name: value for name, value in values.items() if _TLS_MODE.match(name)}
    for name, value in sorted(modes.items()):
        yield from _judge_mode(name, name, value)
    if not modes and _DB_PARTS & values.keys() and not _is_other_database(values):
        remedy = "set DB_SSLMODE: require, or verify-full"
        yield SettingFinding("DB_SSLMODE", "DB_SSLMODE is not set, and DB_HOST is used", remedy)
    for name, value in sorted(values.items()):
        if _DSN.match(value):
            mode = _mode_in(value)
            if mode is not None:
                yield from _judge_mode(name, f"{name}: sslmode", mode)
            elif not modes:
                remedy = "add `?sslmode=require`, or verify-full"
                yield SettingFinding(name, f"{name} does not ask for TLS", remedy, is_doubt=True)


def _is_other_database(values: Values) -> bool:
    """Whether the settings name a database that knows no `sslmode`."""
    named = " ".join(values.get(name, "") for name in ("DB_CONNECTION", "DB_ENGINE")).lower()
    return values.get("DB_PORT") == "3306" or any(
        word in named for word in ("mysql", "mariadb", "sqlite")
    )


def _judge_mode(name: str, shown: str, value: str) -> Iterator[SettingFinding]:
    mode = value.strip().lower()
    remedy = "use require, or verify-full"
    if mode in _OFF:
        yield SettingFinding(name, f"{shown} is {mode or 'empty'}", remedy)
    elif mode in _MAYBE:
        yield SettingFinding(name, f"{shown} is {mode}: may go without TLS", remedy, is_doubt=True)


def _mode_in(dsn: str) -> str | None:
    try:
        return dict(parse_qsl(urlsplit(dsn).query, keep_blank_values=True)).get("sslmode")
    except ValueError:
        return None


def _entries(value: str) -> list[str]:
    """The items of `a,b`, `a b` or `["a", "b"]`."""
    return [item for item in re.split(r"[\s,;\[\]\"']+", value) if item]
