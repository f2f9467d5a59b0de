"""What a value that the Compose files ask for is: its kind, told by `berth.yaml` or by its name.

Pure. A guess says so, because it is printed: a wrong one costs a line in `berth.yaml`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from berthmaster.domain.secret import (
    KEY_LENGTH,
    USUAL_LENGTH,
    Delivery,
    Format,
    Need,
    SecretKind,
    SecretSpec,
)
from berthmaster.planner.sealing import SECRET_NAME

T = TypeVar("T")

_PLACES: Final = ("_FILE", "_PATH", "_DIR")  # where a secret is, not the secret
# Switches of the official database images, named after what they switch.
_SWITCHES: Final = re.compile(
    r"_(?:RANDOM_ROOT|ALLOW_EMPTY)(?:_ROOT)?_PASSWORD\Z|ALLOW_EMPTY_", re.I
)
_WORD: Final = r"(?:^|[_.-]){}(?:$|[_.-]|\d)"
_GIVEN: Final = re.compile(
    r"STRIPE|SENTRY|GITHUB|GITLAB|GOOGLE|FACEBOOK|TWILIO|SENDGRID|MAILGUN|SLACK|TELEGRAM|OPENAI"
    r"|ANTHROPIC|CLOUDFLARE|TUNNEL|PAYPAL|SMTP|MAIL|AWS|AZURE|GCP|OAUTH|OIDC|SAML|CLIENT_SECRET"
    r"|API_?KEY|ACCESS_?KEY|WEBHOOK|LICEN[CS]E|(?:^|_)(?:DSN|URL|URI)$",
    re.IGNORECASE,
)
# First match wins.
_KINDS: Final = (
    (SecretKind.CERTIFICATE, re.compile(_WORD.format("(?:CERT|CERTIFICATE|CRT)"), re.I)),
    (SecretKind.GIVEN, _GIVEN),
    (SecretKind.KEYPAIR, re.compile(r"PRIVATE_?KEY|KEY_?PAIR", re.I)),
    (SecretKind.PASSWORD, re.compile(r"PASS(?:WORD|WD|PHRASE)?(?:$|[_.-]|\d)|(?:^|_)PWD$", re.I)),
    (SecretKind.KEY, re.compile(r"SECRET_?KEY|JWT|SIGNING|ENCRYPT|(?:^|_)KEY(?:$|_)", re.I)),
    (SecretKind.TOKEN, re.compile(r"TOKEN|SECRET|SALT|PEPPER|NONCE|CREDENTIAL", re.I)),
)
_FORMATS: Final = (
    (Format.STRIPE_WEBHOOK, re.compile(r"STRIPE.*WEBHOOK", re.I)),
    (Format.STRIPE_PRICE, re.compile(r"STRIPE.*PRICE", re.I)),
    (Format.STRIPE, re.compile(r"STRIPE.*KEY", re.I)),
    (Format.DSN, re.compile(r"(?:^|_)(?:DSN|DATABASE_URL|DB_URL)$", re.I)),
    (Format.URL, re.compile(r"(?:^|_)(?:URL|URI)$", re.I)),
    (Format.PEM, re.compile(_WORD.format("(?:CERT|CERTIFICATE|CRT)"), re.I)),
)
_PARTNER: Final = (  # of a certificate: how its private key is usually called
    (re.compile(r"(?<![A-Za-z])(?:certificate|cert|crt)(?![A-Za-z])", re.I), "key"),
    (re.compile(r"private", re.I), "public"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A value that is asked for, and what it is; `kind` is None for plain configuration."""

    need: Need
    kind: SecretKind | None
    spec: SecretSpec
    format: Format | None = None
    is_guessed: bool = False
    made_with: str | None = None  # the other half of a pair, which makes both

    @property
    def name(self) -> str:
        return self.need.name

    @property
    def length(self) -> int:
        """How many characters a new value gets."""
        usual = KEY_LENGTH if self.kind is SecretKind.KEY else USUAL_LENGTH
        return self.spec.length or usual

    @property
    def is_secret(self) -> bool:
        return self.kind is not None


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret, and not the path of one or a switch."""
    if _SWITCHES.search(name):
        return False
    return SECRET_NAME.search(name) is not None and not name.upper().endswith(_PLACES)


def decide_kinds(
    needs: Iterable[Need], specs: Mapping[str, SecretSpec], release_variable: str
) -> tuple[Wanted, ...]:
    """What each need is, by name; the release variable is left out: `--tag` gives it.

    A name that only `berth.yaml` says is left out too, unless it is one half of a pair.
    """
    by_name = {need.name: need for need in needs if need.name != release_variable}
    found = {name: _wanted(need, specs.get(name)) for name, need in by_name.items()}
    for name, item in sorted(found.items()):
        other = partner_of(item)
        if other and other in found:
            half = found[other]
            found[other] = Wanted(
                half.need, item.kind, half.spec, Format.PEM, item.is_guessed, name
            )
    return tuple(found[name] for name in sorted(found))


def partner_of(wanted: Wanted) -> str | None:
    """The secret that holds the other half: a certificate's key, a keypair's public half."""
    if wanted.kind not in (SecretKind.CERTIFICATE, SecretKind.KEYPAIR) or wanted.made_with:
        return None
    if wanted.spec.partner:
        return wanted.spec.partner
    for pattern, word in _PARTNER:
        match = pattern.search(wanted.name)
        if match:
            other = word.upper() if match[0].isupper() else word
            return wanted.name[: match.start()] + other + wanted.name[match.end() :]
    return f"{wanted.name}_{'key' if wanted.kind is SecretKind.CERTIFICATE else 'public'}"


def _wanted(need: Need, spec: SecretSpec | None) -> Wanted:
    kind = spec.kind if spec and spec.kind else None
    written = spec.format if spec else None
    looks = written or _first(_FORMATS, need.name)
    given = spec or SecretSpec(need.name)
    if kind is not None:
        return Wanted(need, kind, given, looks)
    guessed = _first(_KINDS, need.name)
    looks_secret = is_secret_name(need.name) or guessed is SecretKind.CERTIFICATE
    is_file = need.delivery is Delivery.FILE or need.is_named_secret
    if not is_file and spec is None and not looks_secret and looks is not Format.DSN:
        return Wanted(need, None, given, looks)
    return Wanted(need, guessed or SecretKind.GIVEN, given, looks, is_guessed=True)


def _first(table: Iterable[tuple[T, re.Pattern[str]]], name: str) -> T | None:
    return next((item for item, pattern in table if pattern.search(name)), None)
