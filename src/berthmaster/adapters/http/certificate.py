"""Reads the certificate that a server shows for a name, whoever signed it."""

import asyncio
import ssl
from typing import TYPE_CHECKING

from berthmaster.domain.probing import Certificate

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Parsed


async def read_certificate(
    address: str, port: int, host: str, timeout_seconds: float
) -> Certificate:
    """Shake hands and hang up; never raises for what the other side does."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # it is looked at, not trusted
    try:
        async with asyncio.timeout(timeout_seconds):
            _, writer = await asyncio.open_connection(
                address, port, ssl=context, server_hostname=host
            )
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
    except TimeoutError:
        return Certificate(error=f"no answer within {timeout_seconds:g} s")
    except (OSError, ssl.SSLError, ValueError) as exc:
        return Certificate(error=getattr(exc, "reason", None) or str(exc) or type(exc).__name__)
    return _parsed(shown) if shown else Certificate(error="it showed no certificate")


def _parsed(shown: bytes) -> Certificate:
    from cryptography import x509

    try:
        found = x509.load_der_x509_certificate(shown)
        return Certificate(
            names=_names(found),
            issuer=found.issuer.rfc4514_string(),
            begins_at=found.not_valid_before_utc,
            ends_at=found.not_valid_after_utc,
        )
    except ValueError as exc:
        return Certificate(error=f"its certificate cannot be read: {exc}")


def _names(certificate: "Parsed") -> tuple[str, ...]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(found.value.get_values_for_type(x509.DNSName))
