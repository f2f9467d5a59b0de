"""Strict types for every name that a person or a file may give.

Parsed once at the boundary and passed on typed: anchored patterns, length limits, no leading dash,
no newline, no control character, ASCII only (a homoglyph is not the letter it looks like).
"""

import re
import stringprep
import unicodedata
from dataclasses import dataclass
from typing import Final

from berthmaster.domain.errors import InvalidName

_PATTERNS: Final = {
    "app": re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){0,30}\Z"),
    "environment": re.compile(r"[a-z][a-z0-9]{0,15}\Z"),
    "tenant": re.compile(r"[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){0,30}\Z"),
    "service": re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}\Z"),
    "secret": re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,62}\Z"),
    "entrypoint": re.compile(r"[a-z][a-z0-9]{0,15}\Z"),
    "tag": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z"),
    "digest": re.compile(r"sha256:[0-9a-f]{64}\Z"),
    "variable": re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z"),
    "path": re.compile(r"/(?:[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*/?)?\Z"),
}
_WANTED: Final = {
    "app": "lower-case letters, digits and single dashes, starting with a letter, at most 31",
    "environment": "lower-case letters and digits, starting with a letter, at most 16",
    "tenant": "lower-case letters, digits and single dashes, at most 31, not like `r7`",
    "service": "letters, digits, dot, dash and underscore, at most 63",
    "secret": "letters, digits, dot, dash and underscore, at most 63",
    "entrypoint": "lower-case letters and digits, starting with a letter, at most 16",
    "tag": "letters, digits, `_`, `.` and `-`, at most 128",
    "digest": "sha256: and 64 lower-case hexadecimal digits",
    "variable": "letters, digits and `_`, not starting with a digit",
    "path": "segments of letters, digits, `.`, `_`, `~` and `-`, starting with `/`, without `..`",
}
_RELEASE_LIKE: Final = re.compile(r"r\d+\Z")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")


def check_name(kind: str, value: str) -> str:
    """Return `value` when it is a valid name of this kind, else raise `InvalidName` with what is
    wanted.
    """
    if not _PATTERNS[kind].match(value):
        raise InvalidName(f"{value!r} is not a valid {kind}: {_WANTED[kind]}")
    if kind == "tenant" and _RELEASE_LIKE.match(value):
        raise InvalidName(f"{value!r} is not a valid tenant: it would read like a release number")
    if kind == "path" and ".." in value.split("/"):
        raise InvalidName(f"{value!r} is not a valid path: {_WANTED[kind]}")
    return value


def check_line(what: str, text: str) -> str:
    """Return free text that will be shown again when it is one printable line, not empty.

    Raises `InvalidName`, because a terminal obeys control characters, and a second line looks like
    something that we say. Marks that turn the direction of writing count as such.
    """
    if not text.strip() or not text.isprintable():
        raise InvalidName(f"{what} wants one line of printable text, not {text[:80]!r}")
    return text


def shown(text: str) -> str:
    """Text of somebody else's program, as a terminal may have it: colours go, the rest is spelt."""
    plain = _COLOUR.sub("", text)
    return "".join(
        one if one.isprintable() or one == "\t" else one.encode("unicode_escape").decode()
        for one in plain
    )


# Scripts that one word may mix with Latin: Japanese, Korean and Chinese do.
_BESIDE_LATIN: Final = frozenset(
    {"LATIN", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC"}
)


def check_host(value: str) -> str:
    """Return the host in lower case and IDNA form; `*.` is allowed in front, for one suffix.

    Raises `InvalidName` for anything that is no DNS name (RFC 1123 labels, 253 characters), and for
    what looks like another name: letters that IDNA would drop or replace without a word (RFC 3454
    tables B.1 and NFKC), and Latin beside letters of an alphabet that resembles it (UTS 39, 5.2).
    """
    wildcard, _, rest = value.rpartition("*.")
    if wildcard:
        raise InvalidName(f"{value!r} is not a valid host: `*.` may stand only in front")
    if _is_disguised(rest) or any(map(_is_mixed, rest.split("."))):
        raise InvalidName(f"{value!a} is not a valid host: it holds a disguised character")
    try:
        plain = rest.encode("idna").decode("ascii").lower() if rest else ""
    except UnicodeError as error:
        raise InvalidName(f"{value!r} is not a valid host: {error}") from error
    if not plain or len(plain) > 253 or not all(_LABEL.match(part) for part in plain.split(".")):
        raise InvalidName(f"{value!r} is not a valid host name")
    return f"*.{plain}" if value.startswith("*.") else plain


def _is_disguised(text: str) -> bool:
    if "\u3002" in text or any(map(stringprep.in_table_b1, text)):
        return True
    return unicodedata.normalize("NFKC", text) != unicodedata.normalize("NFC", text)


def _is_mixed(label: str) -> bool:
    scripts = {unicodedata.name(one, "").split(" ")[0] for one in label if one.isalpha()}
    return "LATIN" in scripts and not scripts <= _BESIDE_LATIN


@dataclass(frozen=True, slots=True, order=True)
class StackId:
    """The address of a stack: `app@environment` or `app@environment/tenant`."""

    app: str
    environment: str
    tenant: str | None = None

    def __post_init__(self) -> None:
        check_name("app", self.app)
        check_name("environment", self.environment)
        if self.tenant is not None:
            check_name("tenant", self.tenant)

    @property
    def project(self) -> str:
        """The Compose project of the stack's state; the store keeps it unique over all stacks."""
        parts = (self.app, self.environment, self.tenant)
        return "-".join(part for part in parts if part)

    def release_project(self, number: int) -> str:
        """The Compose project of one release (D1)."""
        return f"{self.project}-r{number}"

    def release_key(self, number: int) -> str:
        """How the router's tables name one release."""
        return f"{self.project}/r{number}"

    def __str__(self) -> str:
        tenant = f"/{self.tenant}" if self.tenant else ""
        return f"{self.app}@{self.environment}{tenant}"


def parse_stack(text: str, *, default_app: str | None = None) -> StackId:
    """Parse `[APP@]ENV[/TENANT]`; raises `InvalidName` when the app is neither given nor known."""
    app, at, rest = text.rpartition("@")
    if not at:
        app = default_app or ""
    if not app:
        raise InvalidName(
            f"{text!r} names no app: write APP@{rest}, or go where berth.yaml is (-C DIR)"
        )
    environment, slash, tenant = rest.partition("/")
    return StackId(app, environment, tenant if slash else None)
