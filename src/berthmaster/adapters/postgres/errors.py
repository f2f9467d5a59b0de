"""What goes wrong around a dump; the tools' own words are kept, no secret is in them."""

from typing import Final

from berthmaster.domain.errors import OutsideError

_TAIL_CHARACTERS: Final = 600


def failed(container: str, tool: str, complaints: str) -> OutsideError:
    """A tool inside the container ended badly."""
    tail = complaints.strip()[-_TAIL_CHARACTERS:] or "it said nothing"
    return OutsideError(f"{container}: {tool} failed: {tail}", subject=container)


def not_running(container: str) -> OutsideError:
    """There is nothing to dump from."""
    return OutsideError(f"{container} does not run: nothing can be dumped", subject=container)


def not_written(container: str, folder: object, error: OSError) -> OutsideError:
    """The dump could not be kept."""
    return OutsideError(
        f"{container}: the restore point could not be written to {folder}: {error.strerror}",
        subject=str(folder),
    )
