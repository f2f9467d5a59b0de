"""What a failing `docker compose` becomes: the request's fault (`InvalidSpec`) or the outside's.

Nothing that a Compose file takes as a value is printed: messages pass through a `Mask` first.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from berthmaster.domain.errors import ComposeFailed, DeploymentFailed, OutsideError
from berthmaster.domain.sealed import Mask

_TAIL_LINES: Final = 20
_NOT_STARTED: Final = re.compile(  # what runc says of a command; its other failures are not its own
    r"exec:? (?:[^\n]*?: )?(?P<why>exec format error|permission denied|is a directory"
    r"|no such file or directory|executable file not found in \$PATH)"
)


def mask_of_model(model: Mapping[str, Any]) -> Mask:
    """Everything a rendered model hands over as an environment value, a secret or a config."""
    services = (service or {} for service in (model.get("services") or {}).values())
    values = [value for service in services for value in _environment(service).values()]
    contents = [
        (entry or {}).get("content")
        for part in ("secrets", "configs")
        for entry in (model.get(part) or {}).values()
    ]
    return Mask(str(value) for value in [*values, *contents] if value is not None)


def mask_of_files(variables: Mapping[str, str], env_files: Iterable[Path]) -> Mask:
    """The variables given and what the env files say; a file that cannot be read hides nothing."""
    values = list(variables.values())
    for path in env_files:
        values += [
            line.partition("=")[2].strip().strip("'\"")
            for line in _text(path).splitlines()
            if "=" in line
        ]
    return Mask(values)


def failed(project: str, verb: str, code: int, output: str) -> ComposeFailed:
    """`docker compose` ended badly; `output` is masked already."""
    tail = "\n".join(output.strip().splitlines()[-_TAIL_LINES:])
    return ComposeFailed(
        f"{project}: docker compose {verb} ended with {code}:\n{tail}", subject=project
    )


def up_failed(project: str, code: int, output: str) -> ComposeFailed | DeploymentFailed:
    """`docker compose up` ended badly: a command that cannot run is the release's own fault."""
    found = _NOT_STARTED.search(output)
    if found is None:
        return failed(project, "up", code, output)
    command = re.search(r'exec: "([^"\n]+)"', output)
    name = command.group(1) if command else "its command"
    return DeploymentFailed(
        f"{project}: a container cannot be started: {name}: {found['why']}. "
        "Correct `command` or `entrypoint`, or build the image for this server's processor"
    )


def not_started(error: OSError) -> OutsideError:
    """There is no `docker` on PATH, or it cannot be run."""
    if not isinstance(error, FileNotFoundError):
        return OutsideError(
            f"docker cannot be started: {error.strerror}",
            subject="docker",
            next_command="docker compose version",
        )
    return OutsideError(
        "docker is not on PATH: install Docker Engine and its Compose plugin",
        subject="docker",
        next_command="docker compose version",
    )


def too_old(version: str, wanted: str) -> OutsideError:
    """This Compose is not supported."""
    return OutsideError(
        f"Docker Compose {version} is too old: {wanted} or newer is needed",
        subject="docker compose",
        next_command="docker compose version",
    )


def _environment(service: Mapping[str, Any]) -> Mapping[str, Any]:
    environment = service.get("environment") or {}
    if isinstance(environment, Mapping):
        return environment
    return dict(str(item).partition("=")[::2] for item in environment)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
