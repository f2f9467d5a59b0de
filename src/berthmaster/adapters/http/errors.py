"""Says in one sentence why no answer came; a prober reports, it does not raise."""

import asyncio
import errno
import re
import ssl
from typing import Final

import aiohttp

from berthmaster.domain.probing import Probe

_REFUSED: Final = frozenset({errno.ECONNREFUSED})
_UNREACHABLE: Final = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH})


def is_refused(error: BaseException) -> bool:
    """Whether nothing listens there."""
    return _number(error) in _REFUSED


def describe(error: BaseException, probe: Probe) -> str:
    """What happened, naming address and time."""
    where = f"{probe.address}:{probe.port}"
    if is_refused(error):
        return f"{where} refused the connection: nothing listens there"
    if _number(error) in _UNREACHABLE:
        return f"{where} cannot be reached"
    if isinstance(error, asyncio.TimeoutError):
        return f"{where} gave no answer within {probe.timeout_seconds:g} s"
    if isinstance(error, ssl.SSLError | aiohttp.ClientSSLError):
        return f"{where} failed the TLS handshake for {probe.host}: {error}"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError | aiohttp.ClientOSError):
        return f"{where} closed the connection without an answer"
    return f"{where} did not answer HTTP: {_first_words(error)}"


def _first_words(error: BaseException) -> str:
    """What it said instead, when the parser tells; never more than a line."""
    if isinstance(error, aiohttp.ClientResponseError):
        said = re.search(r"b(['\"])(.+)\1", error.message)
        return f"it began with {said[2][:80]!r}" if said else " ".join(error.message.split())[:200]
    return " ".join(str(error).split())[:200] or type(error).__name__


def _number(error: BaseException) -> int | None:
    return getattr(error, "errno", None)
