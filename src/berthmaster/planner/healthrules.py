"""Healthchecks as Compose files and images write them, and the programs that they need.

Pure. Compose's word wins over the image's; what a shell makes of a line is followed only as far as
its first words go.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from berthmaster.domain.container import Image
from berthmaster.planner import hostaccess

SHELL: Final = "/bin/sh"
# Words that a shell knows itself, or that only begin another command.
_WORDS: Final = (
    "! . : [ cd command echo eval exec exit export false if kill printf read return set test then"
    " time trap true type ulimit umask unset wait while until do done else elif fi for { } ("
)
_BUILT_IN: Final = frozenset(_WORDS.split(" "))
_PASSES_ON: Final = frozenset({"exec", "command", "time", "!", "if", "while", "until", "then"})
_ENDS: Final = frozenset({"|", "||", "&&", ";", "&"})
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=")
_NAME: Final = re.compile(r"[A-Za-z0-9_./+-]+\Z")


def test_of(service: Mapping[str, Any], image: Image | None) -> tuple[str, ...]:
    """The healthcheck's `CMD ...` or `CMD-SHELL ...`; empty when there is none."""
    written = service.get("healthcheck") or {}
    if hostaccess.is_true(written.get("disable")):
        return ()
    test = written.get("test")
    if test is None:
        return image.healthcheck if image else ()
    words = ("CMD-SHELL", test) if isinstance(test, str) else tuple(str(item) for item in test)
    return () if words[:1] == ("NONE",) else words


def programs_of(test: Sequence[str]) -> tuple[str, ...]:
    """Programs that the check starts, as far as it says; each once, in order."""
    kind, *words = test or ("",)
    if kind == "CMD" and words:
        return (words[0],) if _NAME.match(words[0]) else ()
    if kind == "CMD-SHELL" and words:
        return tuple(dict.fromkeys((SHELL, *_of_line(words[0]))))
    return ()


def _of_line(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()")
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        return []
    found: list[str] = []
    is_first = True
    for word in words:
        if word in _ENDS or word in ("(", ")"):
            is_first = True
        elif is_first and not _ASSIGNMENT.match(word):
            is_first = word in _PASSES_ON
            if word not in _BUILT_IN and _NAME.match(word):
                found.append(word)
    return found
