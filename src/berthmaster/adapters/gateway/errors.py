"""What can go wrong with the gateway's containers, as errors of ours."""

import re
from typing import Final

from berthmaster.domain.errors import GatewayRefused, RuntimeUnavailable

# As HAProxy (`[0.0.0.0:80]`) and as Caddy (`listen tcp :443: bind: ...`) say that a port is taken.
_TAKEN: Final = re.compile(r"in use\) for \[\S*:(\d+)\]|:(\d+): bind: address already in use")


class EngineFailed(RuntimeUnavailable):
    """The Docker Engine refused or did not answer."""

    def __init__(self, what: str, detail: object) -> None:
        super().__init__(f"{what}: {detail}", subject="docker", retryable=True)


class ConfigurationRefused(GatewayRefused):
    """The process does not accept its new configuration; the last good one stays."""

    def __init__(self, process: str, detail: str) -> None:
        said = f"the {process} does not accept its configuration, which was not applied:\n{detail}"
        message, following = _of_port(detail, f"the {process} keeps its last configuration")
        super().__init__(message or said, subject=process, next_command=following)


class ProcessDidNotStart(GatewayRefused):
    """The process ended or does not answer after its start or reload."""

    def __init__(self, process: str, detail: str) -> None:
        said = f"the {process} does not answer after its start:\n{detail}"
        message, following = _of_port(detail, f"the {process} did not start with it")
        super().__init__(message or said, subject=process, next_command=following)


def _of_port(detail: str, what: str) -> tuple[str | None, str | None]:
    """What to say, and to type, when a port of an entrypoint is another program's."""
    found = _TAKEN.search(detail)
    if found is None:
        return None, None
    port = found[1] or found[2]
    message = (
        f"port {port} is another program's: {what}. Stop that program, or give the gateway another"
        " port ([[entrypoints]] in its settings)"
    )
    return message, f"ss -ltnp 'sport = :{port}'"
