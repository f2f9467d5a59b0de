"""What is said of MariaDB and MySQL only."""

from berthmaster.domain.errors import NotAllowed, OutsideError


def no_tools(container: str) -> OutsideError:
    """Neither of the two clients is in the image."""
    return OutsideError(
        f"{container}: neither mariadb nor mysql can be run in it: nothing can be dumped",
        subject=container,
    )


class NoEntry(OutsideError):
    """Root is not let in with what the container's environment says."""


def no_entry(container: str, complaints: str) -> NoEntry:
    """Say what was tried, and not the password."""
    return NoEntry(
        f"{container}: root is not let in ({complaints.strip()[-200:]}): Berthmaster logs in with"
        " MARIADB_ROOT_PASSWORD or MYSQL_ROOT_PASSWORD of the container, or the file of their"
        " _FILE; it has none of them, or another one than the database",
        subject=container,
    )


def under_way(container: str, database: str) -> OutsideError:
    """Half of it is of another time."""
    return OutsideError(
        f"{container}: {database} is being put back: it cannot be dumped now", subject=container
    )


def unfinished(container: str, database: str) -> OutsideError:
    """The tool ended well, and its text does not."""
    return OutsideError(
        f"{container}: the dump of {database} has no end: it does not count", subject=container
    )


def only_postgres(what: str) -> NotAllowed:
    """Not for this database."""
    return NotAllowed(
        f"{what} knows PostgreSQL only, and this service is MariaDB or MySQL",
        next_command="docs/how-to/restore-points.md",
    )
