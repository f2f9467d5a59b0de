"""Finds the line that a message of Compose is about; only looked at when something is wrong.

Compose names files and keys but seldom lines. A guess here is a search for the text that the
message quotes; where nothing is found the message stands alone.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_UNSET: Final = re.compile(r'The \\?"([^"\\]+)\\?" variable is not set')
_REQUIRED: Final = re.compile(r"required variable (\S+) is missing a value")
_LOG_PREFIX: Final = re.compile(r'^time="[^"]*" level=\w+ msg="?', re.MULTILINE)
_SUBJECT: Final = (
    re.compile(r"dditional propert(?:y|ies) '?([\w.-]+)'? (?:is|are|was) not allowed"),
    re.compile(r'depends on undefined service "?([\w.-]+)'),
    re.compile(r'refers to undefined \w+ "?([\w.-]+)'),
    re.compile(r"env file (\S+) not found"),
    re.compile(r"services\.[\w-]+\.([\w-]+)"),
    re.compile(r"(?:services|networks|volumes|secrets|configs)\.([\w-]+)"),
)


def parse_unset(complaints: str) -> tuple[str, ...]:
    """Names of the variables that Compose would have left empty, each once."""
    return tuple(dict.fromkeys(_UNSET.findall(complaints)))


def locate_variable(name: str, files: Iterable[Path]) -> str | None:
    """`file:line` of the first use of a variable."""
    return _first(re.compile(rf"(?<!\$)\$(?:\{{)?{re.escape(name)}\b"), files)


def locate_error(message: str, files: Iterable[Path]) -> str | None:
    """`file:line` of what an error of `docker compose config` is about."""
    paths = tuple(files)
    if required := _REQUIRED.search(message):
        return locate_variable(required[1], paths)
    if "yaml:" in message and (broken := _locate_broken_yaml(paths)):
        return broken
    named = tuple(path for path in paths if str(path) in message)
    for pattern in _SUBJECT:
        if subject := pattern.search(message):
            name = subject[1].rpartition("/")[2]  # a path is told whole and written relative
            key = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
            return _first(key, named or paths)
    return None


def plain_message(complaints: str) -> str:
    """The last thing Compose said, without its log decoration."""
    lines = [line for line in complaints.strip().splitlines() if "level=warning" not in line]
    return _LOG_PREFIX.sub("", "\n".join(lines)).strip().rstrip('"')


def _first(pattern: re.Pattern[str], files: Iterable[Path]) -> str | None:
    for path, number, line in _lines(files):
        if pattern.search(line):
            return f"{path}:{number}"
    return None


def _lines(files: Iterable[Path]) -> Iterator[tuple[Path, int, str]]:
    for path in files:
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.lstrip().startswith("#"):
                yield path, number, line


def _locate_broken_yaml(files: Iterable[Path]) -> str | None:
    """Compose gives a line of one file without saying which, and often the wrong one."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    for path in files:
        try:
            YAML(typ="safe", pure=True).load(path)
        except MarkedYAMLError as exc:
            line = exc.problem_mark.line + 1 if exc.problem_mark else 1
            return f"{path}:{line}"
        except (YAMLError, OSError):
            return str(path)
    return None
