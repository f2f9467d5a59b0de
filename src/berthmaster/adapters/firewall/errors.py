"""What the packet filter's tools can do wrong, as an error of ours."""

from berthmaster.domain.errors import OutsideError


class FirewallFailed(OutsideError):
    """`iptables` is not there, or refused."""

    def __init__(self, command: str, detail: str) -> None:
        super().__init__(
            f"{command}: {detail}", subject="firewall", next_command="berth server prepare"
        )
