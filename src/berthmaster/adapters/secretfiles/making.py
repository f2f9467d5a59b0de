"""New values: random text, key pairs, certificates signed by themselves.

Passwords, keys and tokens are letters and digits: they fit into a URL, a `.env` file and SQL as
they are, and what they lack in symbols their length makes up for.
"""

import ipaddress
import secrets
import string
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, assert_never

from berthmaster.domain.errors import Bug
from berthmaster.domain.secret import Made, Recipe, SecretKind

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509 import GeneralName

_LETTERS: Final = string.ascii_letters + string.digits
_RSA_BITS: Final = 3072  # NIST SP 800-57: good beyond 2030
_CLOCK_SKEW: Final = timedelta(hours=1)


def make(recipe: Recipe) -> Made:
    """A new value by its kind; raises `Bug` for one that only a person can give."""
    match recipe.kind:
        case SecretKind.PASSWORD | SecretKind.KEY | SecretKind.TOKEN:
            text = "".join(secrets.choice(_LETTERS) for _ in range(recipe.length))
            return Made(text.encode())
        case SecretKind.KEYPAIR:
            return _key_pair()
        case SecretKind.CERTIFICATE:
            return _certificate(recipe)
        case SecretKind.GIVEN:
            raise Bug(f"{recipe.name} can only be given by a person")
        case _:
            assert_never(recipe.kind)


def ends_at(certificate: bytes) -> datetime | None:
    """Until when the first certificate in a PEM file is valid; None when there is none in it."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(certificate).not_valid_after_utc
    except ValueError:
        return None


def _key_pair() -> Made:
    """RSA, which every library for signed tokens knows (RS256)."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Made(_private_pem(key), public)


def _certificate(recipe: Recipe) -> Made:
    """A server's certificate that is its own authority: clients get it as their root."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    hosts = recipe.hosts or ("localhost",)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=recipe.days))
        .add_extension(x509.SubjectAlternativeName([_general(host) for host in hosts]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    )
    signed = builder.sign(key, hashes.SHA256())
    from cryptography.hazmat.primitives.serialization import Encoding

    return Made(signed.public_bytes(Encoding.PEM), _private_pem(key))


def _general(host: str) -> "GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private_pem(key: "rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey") -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
