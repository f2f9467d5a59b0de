"""What a registry's refusal becomes; the status decides whether another try makes sense."""

from http import HTTPStatus
from typing import Final

from berthmaster.adapters.registry.reference import Reference
from berthmaster.domain.errors import OutsideError

_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def unreachable(reference: Reference, detail: str) -> OutsideError:
    """No answer at all."""
    return OutsideError(
        f"{reference}: registry {reference.registry} does not answer ({detail})",
        subject=reference.registry,
        retryable=True,
    )


def refused(reference: Reference, status: int) -> OutsideError:
    """An answer that is no digest."""
    if status in _REFUSED:
        return OutsideError(
            f"{reference}: registry {reference.registry} refused access ({status})",
            subject=reference.registry,
            next_command=f"docker login {reference.registry}",
        )
    is_busy = status == HTTPStatus.TOO_MANY_REQUESTS
    what = "allows no more requests for now" if is_busy else "failed"
    return OutsideError(
        f"{reference}: registry {reference.registry} {what} ({status})",
        subject=reference.registry,
        retryable=is_busy or status >= HTTPStatus.INTERNAL_SERVER_ERROR,
    )


def unreadable(reference: Reference) -> OutsideError:
    """It answered well with something that is no manifest."""
    return OutsideError(
        f"{reference}: registry {reference.registry} answered with no manifest",
        subject=reference.registry,
    )


def no_digest(reference: Reference) -> OutsideError:
    """It answered well and named no digest, or none that can be one."""
    return OutsideError(
        f"{reference}: registry {reference.registry} names no digest", subject=reference.registry
    )
