"""Whether a secret could be guessed: known placeholders, length, and an estimate of its entropy.

Pure. Values here are meant to be made by a machine, so a short estimate is enough: it must find
what a person typed, and let through everything that is random. Nothing returned holds a value.
"""

import math
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from berthmaster.domain.secret import SHORTEST, SHORTEST_KEY, SecretKind
from berthmaster.planner.secretkinds import Wanted

WEAK_BITS: Final = 64.0  # beyond what an offline search of a stolen hash can do

# Whole values, in lower case: defaults of images and frameworks, and those of the source systems.
_KNOWN: Final = """
123 1234 12345 123456 1234567 12345678 123456789 1234567890 abc123 admin adminadmin administrator
changeit changeme default demo dev development devroot123! docker dummy example foo foobar guest
hello hunter2 insecure key letmein master minio minioadmin monkey mysecret mysecretkey
mysecretpassword mypassword n/a nil none null p@ssw0rd pass pass123 passw0rd passwd password
password1 password12 password123 placeholder postgres prod production qwerty qwerty123 qwertyuiop
rabbitmq redis root rootpassword root123 sa secret secret123 secretkey secretpassword staging
stage string supersecret supersecretkey sysadmin system tbd temp temporary test test123 testing
testpassword toor undefined user value welcome welcome1 xxx your-password yourpassword your-super-
secret-key-that-should-be-long-and-random your-secret-key-change-in-production
"""
_PLACEHOLDERS: Final = frozenset(_KNOWN.split())
_PLACEHOLDER: Final = re.compile(
    r"""
    change[-_ ]?(?:me|this|it|in[-_ ]?prod)   # CHANGE_ME, please-change-in-production
    | replace[-_ ]?(?:me|this|with)
    | (?:^|[-_ ])(?:your|my|some)[-_ ](?:own|super|very|secret|password|key|token|long|random)
    | \binsecure\b | (?:^|[-_ ])insecure(?:[-_ ]|$)  # django-insecure-...
    | placeholder | (?:^|[-_ .])(?:example|dummy|fixme|todo)(?:$|[-_ .])
    | x{6,} | \.{3}$
    | ^<[\w .:-]+>$ | ^\{\{.*\}\}$ | ^\$\{?\w+\}?$ | ^%\w+%$  # a template nobody filled in
    """,
    re.IGNORECASE | re.VERBOSE,
)
_WORDS: Final = re.compile(
    r"password|passw0rd|passwd|secret|change|admin|root|postgres|qwerty|letmein|welcome|super|token"
    r"|long|random|should|that|your|production|staging|default|login|master|dragon|monkey|summer"
    r"|winter|test|123456|654321|asdf|zxcv|key|and|the",
    re.IGNORECASE,
)
_CLASSES: Final = (
    (re.compile(r"[a-z]"), 26),
    (re.compile(r"[A-Z]"), 26),
    (re.compile(r"[0-9]"), 10),
    (re.compile(r"[^A-Za-z0-9]"), 33),
)


@dataclass(frozen=True, slots=True)
class Weakness:
    """Why a value is no good secret."""

    rule: str  # `placeholder` or `weak`
    why: str


def weakness(wanted: Wanted, text: str) -> Weakness | None:
    """Why a value is no good secret; None for a good one."""
    if wanted.is_secret and is_placeholder(text, wanted.name):
        return Weakness("placeholder", "is a placeholder that everybody knows")
    if wanted.kind in (SecretKind.CERTIFICATE, SecretKind.KEYPAIR):
        return None
    if wanted.kind in (None, SecretKind.GIVEN) or _is_address(text):
        secret = password_in(text)
        if secret is not None and is_placeholder(secret, wanted.name):
            return Weakness(
                "placeholder", "the password in it is a placeholder that everybody knows"
            )
        return None
    least = SHORTEST_KEY if wanted.kind is SecretKind.KEY else SHORTEST
    least = min(least, wanted.spec.length or least)
    if len(text) < least:
        return Weakness("weak", f"has {len(text)} characters; a {wanted.kind} needs {least}")
    bits = strength_bits(text)
    if bits < WEAK_BITS:
        return Weakness(
            "weak", f"is easily guessed: about {bits:.0f} bits, {WEAK_BITS:.0f} are wanted"
        )
    return None


def is_placeholder(text: str, name: str = "") -> bool:
    """Whether a value is one that people leave standing; `name` is the secret's own name."""
    plain = text.strip().lower()
    if plain in _PLACEHOLDERS or plain.strip("\"'") in _PLACEHOLDERS:
        return True
    if name and plain.replace("-", "_") == name.lower().replace("-", "_"):
        return True
    if "-----BEGIN " in text:
        return False
    return len(set(plain)) == 1 or (len(text) < 200 and _PLACEHOLDER.search(text) is not None)


def strength_bits(text: str) -> float:
    """A guess at the entropy, from above: runs, repeats and well-known words count little."""
    left = _without_repeats(_WORDS.sub("w", text))
    alphabet = sum(size for pattern, size in _CLASSES if pattern.search(left))
    if re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", left):
        alphabet = 16 if re.search(r"[a-fA-F]", left) else 10
    count = _surprises(left)
    return min(count, 2 * len(set(left))) * math.log2(max(alphabet, 2))


def _without_repeats(text: str) -> str:
    """`abcabcabc` is `abc`."""
    for size in range(1, len(text) // 2 + 1):
        block = text[:size]
        if block * (len(text) // size) + block[: len(text) % size] == text:
            return block
    return text


def _surprises(text: str) -> int:
    """Characters that do not follow from the two before them, as in `aaa`, `345` or `cba`."""
    count = min(len(text), 2)
    for first, second, third in zip(text, text[1:], text[2:], strict=False):
        step = ord(second) - ord(first)
        is_run = abs(step) <= 1 and ord(third) - ord(second) == step
        count += not is_run
    return count


def password_in(text: str) -> str | None:
    """The password of a URL such as `postgres://user:password@host/name`."""
    try:
        return urlsplit(text).password
    except ValueError:
        return None


def _is_address(text: str) -> bool:
    return re.match(r"[a-z][a-z0-9+.-]*://", text) is not None
