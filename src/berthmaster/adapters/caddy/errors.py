"""What the edge can refuse, as errors of ours."""

from berthmaster.domain.errors import GatewayRefused


class EdgeMisconfigured(GatewayRefused):
    """The server's entrypoints cannot be served as they are set."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, subject="edge")
