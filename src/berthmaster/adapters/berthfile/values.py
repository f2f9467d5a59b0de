"""The small types of `berth.yaml`: durations, names, paths, hosts, lists that may be one item.

Each one parses text once and says in the JSON Schema what it accepts.
"""

import re
import shlex
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from berthmaster.domain.errors import InvalidName
from berthmaster.domain.names import check_host, check_line, check_name

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_DURATION: Final = re.compile(rf"(?:{_PART.pattern})+\Z")


def parse_duration(value: Any) -> float:
    """Seconds of `30s`, `1h30m`, `500ms` or a plain number; raises `ValueError` otherwise."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if 0 <= value < 1e9:
            return float(value)
    elif isinstance(value, str) and _DURATION.match(value) and len(value) <= 32:
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
    raise ValueError(f"{value!r} is not a duration: write `30s`, `10m` or `1h30m`")


def _name(kind: str) -> BeforeValidator:
    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is not text: a {kind} is wanted (write it in quotes)")
        try:
            return check_name(kind, value)
        except InvalidName as error:
            raise ValueError(error.message) from error

    return BeforeValidator(check)


def _line(value: str) -> str:
    try:
        return check_line("a reason", " ".join(value.split()))  # YAML folds lines
    except InvalidName as error:
        raise ValueError(error.message) from error


def _host(value: Any) -> str:
    try:
        return check_host(str(value))
    except InvalidName as error:
        raise ValueError(error.message) from error


def _inside(value: Any) -> str:
    text = str(value)
    parts = text.split("/")
    if not text or text.startswith(("/", "~", "-")) or ".." in parts or not text.isprintable():
        raise ValueError(
            f"{text!r} must be a path relative to berth.yaml that stays inside its folder"
        )
    return "/".join(part for part in parts if part not in ("", ".")) or "."


def _setting(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def _absolute(value: Any) -> str:
    text = str(value)
    if not text.startswith("/") or ".." in text.split("/") or not text.isprintable():
        raise ValueError(f"{text!r} must be an absolute path without `..`")
    return text


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _command(value: Any) -> Any:
    try:
        return shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"{value!r} is not a command: {error}") from error


_TEXT: Final = {"type": "string", "minLength": 1}
_MANY: Final = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}

Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"},
            ]
        }
    ),
]
AppName = Annotated[str, _name("app"), WithJsonSchema({**_TEXT, "maxLength": 31})]
EnvironmentName = Annotated[str, _name("environment"), WithJsonSchema({**_TEXT, "maxLength": 16})]
EntrypointName = Annotated[str, _name("entrypoint"), WithJsonSchema({**_TEXT, "maxLength": 16})]
ServiceName = Annotated[str, _name("service"), WithJsonSchema({**_TEXT, "maxLength": 63})]
VariableName = Annotated[str, _name("variable"), WithJsonSchema({**_TEXT, "maxLength": 128})]
SecretName = Annotated[str, _name("secret"), WithJsonSchema({**_TEXT, "maxLength": 63})]
UrlPath = Annotated[str, _name("path"), WithJsonSchema({**_TEXT, "pattern": "^/"})]
Host = Annotated[str, BeforeValidator(_host), WithJsonSchema({**_TEXT, "maxLength": 253})]
InsidePath = Annotated[str, BeforeValidator(_inside), WithJsonSchema(_TEXT)]
AbsolutePath = Annotated[
    str, BeforeValidator(_absolute), WithJsonSchema({**_TEXT, "pattern": "^/"})
]
Reason = Annotated[str, Field(min_length=3, max_length=300), AfterValidator(_line)]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
HttpStatus = Annotated[int, Field(ge=100, le=599, strict=True)]
InsidePaths = Annotated[tuple[InsidePath, ...], BeforeValidator(_listed), WithJsonSchema(_MANY)]
AbsolutePaths = Annotated[tuple[AbsolutePath, ...], BeforeValidator(_listed), WithJsonSchema(_MANY)]
Hosts = Annotated[tuple[Host, ...], BeforeValidator(_listed), WithJsonSchema(_MANY)]
Profiles = Annotated[tuple[ServiceName, ...], BeforeValidator(_listed), WithJsonSchema(_MANY)]
Command = Annotated[
    tuple[str, ...], BeforeValidator(_command), Field(min_length=1), WithJsonSchema(_MANY)
]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")]
Setting = Annotated[
    str,
    BeforeValidator(_setting),
    Field(max_length=4000),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]}),
]
JsonPath = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$", max_length=200)]
Scalar = str | int | float | bool | None
