"""Smoke conditions: why an answer or a command's end is not what was declared; pure.

Asked by the gate before the switch, through the gateway after it, and by `berth verify`.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from berthmaster.domain.spec import Scalar, SmokeSpec

SHOWN_CHARACTERS: Final = 60  # of a value that was found


def unmet(wanted: SmokeSpec, headers: Mapping[str, str], body: str, seconds: float) -> str:
    """Why headers, JSON or time of an answer are not good, in a few words; empty when they are."""
    return (
        _late(wanted, seconds)
        or _unmet_headers(wanted.headers, headers)
        or _unmet_json(wanted, body)
    )


def unmet_command(wanted: SmokeSpec, exit_code: int, output: str, seconds: float) -> str:
    """Why the end of a command is not good; empty when it is."""
    if exit_code != wanted.exit_code:
        last = output.strip().rpartition("\n")[2].strip()
        said = f": {_shown(last)}" if last else ""
        return f"ended with exit code {exit_code}, {wanted.exit_code} was wanted{said}"
    if wanted.contains is not None and wanted.contains not in output:
        return f"its output does not contain {wanted.contains!r}"
    return _late(wanted, seconds)


def value_at(data: Any, path: str) -> Any:
    """What stands at `checks.database` or `items.0.name` of JSON data; raises `KeyError`."""
    for part in path.split("."):
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            raise KeyError(part)
    return data


def _late(wanted: SmokeSpec, seconds: float) -> str:
    if wanted.seconds is None or seconds <= wanted.seconds:
        return ""
    return f"took {seconds:.2f} s, at most {wanted.seconds:g} s was wanted"


def _unmet_headers(wanted: Mapping[str, str], headers: Mapping[str, str]) -> str:
    found = {name.lower(): value for name, value in headers.items()}
    for name, value in wanted.items():
        there = found.get(name.lower())
        if there is None:
            return f"has no header {name}"
        if value not in (there, there.partition(";")[0].strip()):
            return f"has {name}: {_shown(there)}, {value} was wanted"
    return ""


def _unmet_json(wanted: SmokeSpec, body: str) -> str:
    if not wanted.json:
        return ""
    try:
        data = json.loads(body)
    except ValueError:
        return "is not JSON, or longer than what is read of it (64 KiB)"
    for path, value in wanted.json.items():
        try:
            found = value_at(data, path)
        except KeyError:
            return f"its JSON has no {path}"
        if not _same(found, value):
            return (
                f"its JSON has {path} = {_shown(json.dumps(found))}, {json.dumps(value)} was wanted"
            )
    return ""


def _same(found: Any, wanted: Scalar) -> bool:
    """As JSON compares: `true` is not 1, but 1 is 1.0."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return bool(found == wanted)


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."
