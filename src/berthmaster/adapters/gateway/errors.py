"""What can go wrong with the gateway's containers, as errors of ours."""

from berthmaster.domain.errors import GatewayRefused, RuntimeUnavailable


class EngineFailed(RuntimeUnavailable):
    """The Docker Engine refused or did not answer."""

    def __init__(self, what: str, detail: object) -> None:
        super().__init__(f"{what}: {detail}", subject="docker", retryable=True)


class ConfigurationRefused(GatewayRefused):
    """The process does not accept its new configuration; the last good one stays."""

    def __init__(self, process: str, detail: str) -> None:
        super().__init__(
            f"the {process} does not accept its configuration, which was not applied:\n{detail}",
            subject=process,
        )


class ProcessDidNotStart(GatewayRefused):
    """The process ended or does not answer after its start or reload."""

    def __init__(self, process: str, detail: str) -> None:
        super().__init__(
            f"the {process} does not answer after its start:\n{detail}", subject=process
        )
