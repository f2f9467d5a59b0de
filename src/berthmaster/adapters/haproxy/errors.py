"""What HAProxy and its files can do wrong, as errors of ours."""

from berthmaster.domain.errors import GatewayRefused


class RouterUnavailable(GatewayRefused):
    """The router's runtime socket does not answer."""

    def __init__(self, detail: str, *, is_gone: bool = False) -> None:
        """`is_gone`: nobody listens; else it runs, or may, and says nothing."""
        super().__init__(
            f"the router does not {'run' if is_gone else 'answer'}: {detail}",
            subject="router",
            retryable=True,
            next_command="berth gateway up",
        )


class CommandRefused(GatewayRefused):
    """The router's memory is not what was asked for after the commands were sent."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"the router did not take a change: {detail}", subject="router")


class RecordDamaged(GatewayRefused):
    """The gateway's record is unreadable, or gone although there are routes."""

    def __init__(self, path: object, detail: str) -> None:
        super().__init__(
            f"{path}: {detail}; what is routed now stays as it is",
            subject="gateway",
            next_command="berth gateway up",
        )


class FilesNotWritten(GatewayRefused):
    """The disk does not take the gateway's files; what is routed stays as it is."""

    def __init__(self, path: object, error: OSError) -> None:
        super().__init__(
            f"{path} cannot be written: {error.strerror}; what is routed now stays as it is",
            subject="gateway",
            retryable=True,
            next_command="df -h -i, free space, then berth tick",
        )


class GatewayBusy(GatewayRefused):
    """Another process changes the gateway's files for longer than we wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"another process has held the gateway's files for {seconds:.0f} s",
            subject="gateway",
            retryable=True,
        )
