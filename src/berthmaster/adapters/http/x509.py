"""What a certificate says of itself: the one place that takes one apart."""

from typing import TYPE_CHECKING

from berthmaster.domain.probing import Certificate

if TYPE_CHECKING:
    from cryptography import x509


def parse_der(shown: bytes) -> Certificate:
    """As a server shows it; raises `ValueError` for what is none."""
    from cryptography import x509

    return _read(x509.load_der_x509_certificate(shown))


def parse_pem(text: bytes) -> Certificate:
    """The first of a file; raises `ValueError` for what is none."""
    from cryptography import x509

    return _read(x509.load_pem_x509_certificate(text))


def _read(found: "x509.Certificate") -> Certificate:
    return Certificate(
        names=_names(found),
        issuer=found.issuer.rfc4514_string(),
        begins_at=found.not_valid_before_utc,
        ends_at=found.not_valid_after_utc,
    )


def _names(certificate: "x509.Certificate") -> tuple[str, ...]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(found.value.get_values_for_type(x509.DNSName))
