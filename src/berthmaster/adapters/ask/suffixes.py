"""Which registered domain a name is below: the unit that certificate limits count by.

With the public suffix list of the machine when it has one, else by a rule that rather counts two
domains as one than one as two: a budget then ends too early, never too late.
"""

from collections.abc import Iterable
from typing import Final

_SECOND_LEVEL: Final = frozenset(
    {"ac", "co", "com", "edu", "go", "gob", "gov", "ltd", "me", "mil", "ne", "net", "nom", "or"}
    | {"org", "plc", "sch"}
)
_COUNTRY: Final = 2  # letters of a country's top-level domain


class Suffixes:
    """The rules of a public suffix list (https://publicsuffix.org/list/)."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        rules = {text.split()[0] for line in lines if _is_rule(text := line.strip())}
        self._rules = frozenset(rule.lower() for rule in rules)

    def registered(self, name: str) -> str:
        """`example.co.uk` of `a.b.example.co.uk`; a public suffix itself stands for itself."""
        labels = name.split(".")
        count = self._suffix_length(labels) if self._rules else _guessed_length(labels)
        return ".".join(labels[-(count + 1) :])

    def _suffix_length(self, labels: list[str]) -> int:
        longest = 1
        for start in range(len(labels)):
            whole = ".".join(labels[start:])
            if f"!{whole}" in self._rules:
                return len(labels) - start - 1
            above = ".".join(["*", *labels[start + 1 :]])
            if whole in self._rules or above in self._rules:
                longest = max(longest, len(labels) - start)
        return longest


def _is_rule(line: str) -> bool:
    return bool(line) and not line.startswith("//") and line.isascii()


def _guessed_length(labels: list[str]) -> int:
    if len(labels) > 2 and len(labels[-1]) == _COUNTRY and labels[-2] in _SECOND_LEVEL:
        return 2
    return 1
