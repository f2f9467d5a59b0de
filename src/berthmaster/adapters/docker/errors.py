"""Turns what aiodocker and aiohttp raise into the product's errors, by status and never by text.

aiodocker is imported when a call is made, not before: `berth --version` must not pay for it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from berthmaster.domain.errors import ImageNotFound, NotAllowed, OutsideError, RuntimeUnavailable

NO_CONNECTION: Final = 900  # what aiodocker says when the socket does not answer
_NO_CONNECTION_SAID: Final = re.compile(
    r"via (?:unix://)?(?P<path>\S+) \[.*\[(?P<why>[^\[\]]+)\]\]$", re.DOTALL
)
_RETRYABLE: Final = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})


@contextmanager
def translated(subject: str, *, is_image: bool = False) -> Iterator[None]:
    """Raise `OutsideError` about `subject` for every failure of the engine inside the block."""
    import aiohttp
    from aiodocker.exceptions import DockerError

    try:
        yield
    except DockerError as exc:
        raise _from_engine(exc.status, exc.message, subject, is_image) from exc
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as exc:
        raise unavailable(str(exc) or type(exc).__name__) from exc


def unavailable(detail: str) -> RuntimeUnavailable:
    """The engine does not answer; what the library says of a socket is put into words."""
    found = _NO_CONNECTION_SAID.search(detail)
    where = f" at {found['path']}: {found['why']}" if found else f" ({detail})"
    return RuntimeUnavailable(
        f"the Docker Engine does not answer{where}",
        subject="docker",
        retryable=True,
        next_command="docker info",
    )


def foreign(kind: str, name: str) -> NotAllowed:
    """Somebody else made it, so it is not ours to remove."""
    return NotAllowed(
        f"{kind} {name} carries no berthmaster label: it is not ours and stays as it is"
    )


def is_missing(error: BaseException) -> bool:
    """Whether the engine said that the thing is not there."""
    return getattr(error, "status", None) == HTTPStatus.NOT_FOUND


def _from_engine(status: int, message: str, subject: str, is_image: bool) -> OutsideError:
    if status == NO_CONNECTION:
        return unavailable(message)
    if is_image and status == HTTPStatus.NOT_FOUND:
        return ImageNotFound(f"{subject}: {message}", subject=subject)
    # NOTE: errors inside a pull's stream have status 0; registries behind them come back.
    is_retryable = status in _RETRYABLE or (is_image and status != HTTPStatus.CONFLICT)
    return OutsideError(f"{subject}: {message}", subject=subject, retryable=is_retryable)
