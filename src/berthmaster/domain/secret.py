"""Secrets and configuration of an app: what kind a value is, and what `berth.yaml` says of it.

Holds names and rules; the only values are defaults that stand in the Compose files themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

USUAL_LENGTH: Final = 32  # characters of 62: 190 bits
KEY_LENGTH: Final = 64  # characters; Django asks for 50, a JWT key of HS512 for 64 bytes
SHORTEST_KEY: Final = 50
SHORTEST: Final = 16  # of every other secret that a machine may make


class SecretKind(StrEnum):
    """How a secret is made."""

    PASSWORD = "password"  # noqa: S105 - letters and digits, so that it also fits into a URL
    KEY = "key"  # signs or encrypts: 50 characters or more
    TOKEN = "token"  # noqa: S105 - URL-safe text
    KEYPAIR = "keypair"  # a private key, and its public half in a secret of its own
    CERTIFICATE = "certificate"  # signed by itself, and its private key in a secret of its own
    GIVEN = "given"  # somebody else issues it: only a person can give it


class Format(StrEnum):
    """What a value must look like."""

    URL = "url"  # scheme://host
    HTTPS_URL = "https_url"
    DSN = "dsn"  # scheme://user:password@host/name
    EMAIL = "email"
    INTEGER = "integer"
    BOOLEAN = "boolean"  # true, false, yes, no, on, off, 1, 0
    HOST = "host"
    HEX = "hex"
    BASE64 = "base64"
    PEM = "pem"
    STRIPE = "stripe"  # pk_, sk_ or rk_; live in environments named `prod...`
    STRIPE_LIVE = "stripe_live"  # pk_live_, sk_live_ or rk_live_, everywhere
    STRIPE_WEBHOOK = "stripe_webhook"  # whsec_
    STRIPE_PRICE = "stripe_price"  # price_


@dataclass(frozen=True, slots=True)
class SecretSpec:
    """What `secrets.NAME` of `berth.yaml` says; None: guessed from the name."""

    name: str
    kind: SecretKind | None = None
    length: int | None = None  # characters, for password, key and token
    format: Format | None = None
    hosts: tuple[str, ...] = ()  # of a certificate
    days: int = 825  # how long a certificate is valid
    partner: str | None = None  # of a keypair the public half, of a certificate its private key
    shared: str | None = None  # why other environments may have the same value


@dataclass(frozen=True, slots=True)
class ConfigSpec:
    """What `config` of `berth.yaml` says of values that are no secrets."""

    required: tuple[str, ...] = ()  # must be set and not empty, whatever the Compose files say
    formats: Mapping[str, Format] = field(default_factory=dict)  # by variable


class Delivery(StrEnum):
    """How a value reaches its containers."""

    FILE = "file"  # a Compose secret: /run/secrets/NAME
    VARIABLE = "variable"  # interpolated by a Compose file


@dataclass(frozen=True, slots=True)
class Need:
    """A value that the Compose files ask for."""

    name: str
    delivery: Delivery
    location: str  # `file:line` where it is asked for first
    services: tuple[str, ...] = ()
    default: str | None = field(default=None, repr=False)  # `${NAME:-value}`
    file: str | None = None  # what the Compose file calls it, relative to the app's folder
    is_named_secret: bool = False  # `environment: NAME` of a Compose secret
    uses: tuple[str, ...] = ()  # `db.environment.POSTGRES_PASSWORD`, for variables
    uids: tuple[int, ...] = ()  # of services that read the file, as far as the files say

    @property
    def is_variable(self) -> bool:
        return self.delivery is Delivery.VARIABLE


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to make; lengths in characters."""

    kind: SecretKind
    name: str
    length: int = USUAL_LENGTH
    hosts: tuple[str, ...] = ()
    days: int = 825


@dataclass(frozen=True, slots=True)
class Made:
    """A new value, and the other half of a pair."""

    value: bytes = field(repr=False)
    partner: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file that holds a value, as it lies there; the value is read on its own."""

    name: str
    path: str  # absolute
    mode: int  # permission bits
    uid: int
    is_plain: bool  # neither a link nor a folder nor a pipe
    changed_at: float  # seconds since the epoch
    size_bytes: int = 0
