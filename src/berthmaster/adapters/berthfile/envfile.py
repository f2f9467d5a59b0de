"""`.env` files as plain values.

Only literal values are read: what interpolates another variable is left as written, because Compose
alone decides what that means.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from berthmaster.adapters.berthfile.document import read_text
from berthmaster.domain.errors import InvalidSpec

_LINE: Final = re.compile(
    r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*(?:[=:]\s*(.*))?\Z", re.DOTALL
)
_ESCAPES: Final = {"\\n": "\n", "\\r": "\r", "\\t": "\t", '\\"': '"', "\\\\": "\\", "\\$": "$"}
_ESCAPE: Final = re.compile(r"\\[nrt\"\\$]")


def env_values(folder: Path, files: Iterable[str]) -> dict[str, str]:
    """All values, later files winning; raises `InvalidSpec` with file and line."""
    values: dict[str, str] = {}
    for name in files:
        if not (folder / name).is_file():
            raise InvalidSpec("this env_file of berth.yaml is missing", location=name)
        values |= parse_env(read_text(folder / name, name), name)
    return values


def parse_env(text: str, name: str) -> dict[str, str]:
    """The values of one file; a key without `=` is left out (Compose would ask the shell)."""
    values: dict[str, str] = {}
    lines = iter(enumerate(text.removeprefix("\ufeff").splitlines(), start=1))
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:  # the line itself may be half a secret: it is not repeated
            raise InvalidSpec("a line must be `NAME=value`", location=f"{name}:{number}")
        raw = match.group(2)
        if raw is None:
            continue
        while raw[:1] in ("'", '"') and not _is_closed(raw):
            _, more = next(lines, (0, None))
            if more is None:
                raise InvalidSpec("a quote is not closed", location=f"{name}:{number}")
            raw = f"{raw}\n{more}"
        values[match.group(1)] = _value(raw)
    return values


def _is_closed(raw: str) -> bool:
    return _end(raw) is not None


def _end(raw: str) -> int | None:
    quote, position = raw[0], 1
    while position < len(raw):
        if raw[position] == "\\" and quote == '"':
            position += 1
        elif raw[position] == quote:
            return position
        position += 1
    return None


def _value(raw: str) -> str:
    if raw[:1] in ("'", '"'):
        inner = raw[1 : _end(raw)]
        if raw[0] == "'":
            return inner
        return _ESCAPE.sub(lambda match: _ESCAPES[match.group()], inner)
    return re.split(r"\s#", raw, maxsplit=1)[0].strip() if not raw.startswith("#") else ""
