"""Whether a value looks like what it is said to be; the answer never repeats the value."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from berthmaster.domain.errors import InvalidName
from berthmaster.domain.names import check_host
from berthmaster.domain.secret import Format

_STRIPE: Final = re.compile(r"(?:pk|sk|rk)_(live|test)_[A-Za-z0-9]{10,}\Z")
_PATTERNS: Final[Mapping[Format, tuple[re.Pattern[str], str]]] = {
    Format.EMAIL: (
        re.compile(r"(?:[^<>\r\n]*<)?[^@\s<>]+@[A-Za-z0-9.-]+>?\Z"),
        "no e-mail address",
    ),
    Format.INTEGER: (re.compile(r"[+-]?\d+\Z"), "no whole number"),
    Format.BOOLEAN: (
        re.compile(r"(?:true|false|yes|no|on|off|1|0)\Z", re.I),
        "neither true nor false",
    ),
    Format.HEX: (re.compile(r"(?:[0-9a-fA-F]{2})+\Z"), "not hexadecimal"),
    Format.PEM: (
        re.compile(r"-----BEGIN [A-Z0-9 ]+-----\s.*-----END [A-Z0-9 ]+-----\s*\Z", re.S),
        "not PEM (-----BEGIN ...)",
    ),
    Format.STRIPE_WEBHOOK: (re.compile(r"whsec_[A-Za-z0-9+/=_-]{10,}\Z"), "no `whsec_...`"),
    Format.STRIPE_PRICE: (re.compile(r"price_[A-Za-z0-9_]{5,}\Z"), "no `price_...`"),
}


def format_problem(wanted: Format, text: str, *, is_production: bool) -> str | None:
    """What is wrong with a value's form, in words that do not repeat it; None when it is right."""
    if wanted in _PATTERNS:
        pattern, complaint = _PATTERNS[wanted]
        return None if pattern.match(text) else f"is {complaint}"
    if wanted in (Format.STRIPE, Format.STRIPE_LIVE):
        return _stripe(text, must_be_live=is_production or wanted is Format.STRIPE_LIVE)
    if wanted is Format.HOST:
        return _host(text)
    if wanted is Format.BASE64:
        return _base64(text)
    return _address(wanted, text)


def _stripe(text: str, *, must_be_live: bool) -> str | None:
    match = _STRIPE.match(text)
    if match is None:
        return "is no Stripe key (`pk_live_...`, `sk_live_...`, `rk_live_...`)"
    if must_be_live and match[1] == "test":
        return "is a test key of Stripe; a live one is wanted"
    return None


def _host(text: str) -> str | None:
    try:
        check_host(text)
    except InvalidName:
        return "is no host name"
    return None


def _base64(text: str) -> str | None:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return "is not base64"
    return None


def _address(wanted: Format, text: str) -> str | None:
    try:
        found = urlsplit(text)
        _ = found.port
    except ValueError:
        return "is no address"
    if any(char.isspace() for char in text) or not _has_place(found):
        return "is no address (`scheme://host/...`)"
    if wanted is Format.HTTPS_URL and found.scheme != "https":
        return "is no https:// address"
    if wanted is Format.DSN and not found.username and not found.scheme.startswith("sqlite"):
        return "names no user (`scheme://user:password@host/name`)"
    return None


def _has_place(found: SplitResult) -> bool:
    return bool(found.scheme) and bool(found.hostname or found.path.startswith("/"))
