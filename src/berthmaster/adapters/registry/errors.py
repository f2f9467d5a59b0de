"""What a registry's refusal becomes; the status decides whether another try makes sense."""

from http import HTTPStatus
from typing import Final

from berthmaster.adapters.registry.reference import Reference
from berthmaster.domain.errors import OutsideError

_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class RegistryBusy(OutsideError):
    """It allows no more requests for now; `after_seconds` is what it asks to wait, if it says."""

    def __init__(self, reference: Reference, after_seconds: float | None) -> None:
        wait = f"; it asks to come back in {after_seconds:.0f} s" if after_seconds else ""
        super().__init__(
            f"{reference}: registry {reference.registry} allows no more requests for now"
            f" (429){wait}",
            subject=reference.registry,
            retryable=True,
            next_command=f"wait, or docker login {reference.registry}: a login has its own limit",
        )
        self.after_seconds = after_seconds


def unreachable(reference: Reference, detail: str) -> OutsideError:
    """No answer at all."""
    return OutsideError(
        f"{reference}: registry {reference.registry} does not answer ({detail})",
        subject=reference.registry,
        retryable=True,
    )


def refused(reference: Reference, status: int, retry_after: str = "") -> OutsideError:
    """An answer that is no digest; `retry_after` is the header of this name."""
    if status in _REFUSED:
        return OutsideError(
            f"{reference}: registry {reference.registry} refused access ({status})",
            subject=reference.registry,
            next_command=f"docker login {reference.registry}",
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        # The header may hold a date instead; then our own pauses do.
        return RegistryBusy(reference, float(retry_after) if retry_after.isdecimal() else None)
    return OutsideError(
        f"{reference}: registry {reference.registry} failed ({status})",
        subject=reference.registry,
        retryable=status >= HTTPStatus.INTERNAL_SERVER_ERROR,
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
