"""What `systemctl` and its folder can do wrong, as an error of ours."""

from berthmaster.domain.errors import OutsideError


class UnitsFailed(OutsideError):
    """A unit could not be written, or `systemctl` refused."""

    def __init__(self, what: str, detail: str) -> None:
        super().__init__(
            f"{what}: {detail}", subject="systemd", next_command="systemctl status 'berthmaster-*'"
        )
