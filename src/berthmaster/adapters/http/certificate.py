"""Reads the certificate that a server shows for a name, whoever signed it."""

import asyncio
import ssl

from berthmaster.domain.probing import Certificate


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
    from berthmaster.adapters.http.x509 import parse_der

    try:
        return parse_der(shown)
    except ValueError as exc:
        return Certificate(error=f"its certificate cannot be read: {exc}")
