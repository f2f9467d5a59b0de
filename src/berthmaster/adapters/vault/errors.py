"""What can go wrong with the key or with what it sealed."""

from berthmaster.domain.errors import OutsideError


class VaultFailed(OutsideError):
    """The key is missing, open to others, or does not fit.

    No secret was read and nothing may start.
    """

    def __init__(self, message: str, *, next_command: str | None = None) -> None:
        super().__init__(message, subject="vault", next_command=next_command)
