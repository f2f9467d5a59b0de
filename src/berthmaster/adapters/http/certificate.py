"""Reads the certificate that a server shows for a name, whoever signed it."""

import asyncio
import os
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
    except (OSError, ValueError) as exc:
        return Certificate(error=_words(exc))
    return _parsed(shown) if shown else Certificate(error="it showed no certificate")


def _words(error: Exception) -> str:
    """TLS names a reason; of the network only the number counts, asyncio writes around it."""
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def _parsed(shown: bytes) -> Certificate:
    from berthmaster.adapters.http.x509 import parse_der

    try:
        return parse_der(shown)
    except ValueError as exc:
        return Certificate(error=f"its certificate cannot be read: {exc}")
