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


def not_read(folder: object, error: OSError) -> OutsideError:
    """A restore point is not there, or cannot be read."""
    return OutsideError(
        f"the restore point {folder} cannot be read: {error.strerror}", subject=str(folder)
    )


def not_in_point(name: str, database: str, known: tuple[str, ...]) -> OutsideError:
    """It holds other databases."""
    what = f"the restore point {name} holds {', '.join(known)}, not {database}"
    return OutsideError(what, subject=name)


class Damaged(OutsideError):
    """A restore point is not what was written."""


def damaged(name: str, part: str) -> Damaged:
    """A file is not the one that was verified when it was written."""
    return Damaged(f"the restore point {name} is damaged: {part} has changed", subject=name)


def incomplete(container: str, database: str, found: int, wanted: int) -> OutsideError:
    """The restored database is not what was dumped."""
    what = f"{database} has {found} tables after the restore, its dump has {wanted}"
    return OutsideError(f"{container}: {what}", subject=container)


def not_swappable(container: str, new: str, database: str) -> OutsideError:
    """Neither swapped nor ready to be."""
    return OutsideError(
        f"{container}: {new} cannot take the name {database}: it is not there, or the name to keep"
        " the old one under is taken",
        subject=container,
    )
