"""The `docker compose` binary: the authority on Compose files, and what starts services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

READ_ONLY: Final = frozenset(
    # NOTE: `config` is left out: it prints every secret of a project.
    {"ps", "top", "logs", "images", "port", "events", "stats", "ls", "version"}
)


@dataclass(frozen=True, slots=True)
class ComposeInputs:
    """Everything `docker compose config` reads; nothing else may influence it."""

    folder: Path
    files: tuple[str, ...]
    env_files: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)  # win over the env files
    profiles: tuple[str, ...] = ()


class Compose(Protocol):
    """Runs Compose with a scrubbed environment, explicit project, folder and files, and no input.

    In every model here `$` is a plain character: `config` undoes Compose's doubling.
    """

    async def version(self) -> str:
        """Raises `OutsideError` when it is older than 2.24."""
        ...

    async def config(self, project: str, inputs: ComposeInputs) -> Mapping[str, Any]:
        """The fully rendered model; raises `InvalidSpec`, with file and line where they are known.

        An unresolved variable is an error, never an empty string.
        """
        ...

    async def variables(self, inputs: ComposeInputs) -> Mapping[str, str | None]:
        """Every variable the files interpolate, with its default; None for none or an empty one."""
        ...

    async def up(
        self,
        project: str,
        model: Mapping[str, Any],
        services: Sequence[str],
        *,
        log: Path | None = None,
    ) -> None:
        """Create and start these services of the model, pulling and building nothing.

        Only adds: a container that exists is started, never recreated, even when its model changed;
        remove it before. Networks, volumes and images must be there. A job that ended is started
        again. The model is complete (environment values too) and may hold secrets: it is handed
        over in a file of mode 0600 that does not outlive the call. Raises `ComposeFailed`.
        """
        ...

    async def passthrough(self, project: str, arguments: Sequence[str]) -> int:
        """Run a read-only Compose command on a project with our own standard streams.

        Raises `NotAllowed` for any other, and for `config`, which prints secrets.
        """
        ...

    async def build(self, project: str, inputs: ComposeInputs, services: Sequence[str]) -> None:
        """Build with all output on our standard error; raises `ComposeFailed`."""
        ...

    async def run(
        self, project: str, model: Mapping[str, Any], service: str, command: Sequence[str]
    ) -> int:
        """Run a one-off container of a service with our own standard streams and remove it.

        Starts nothing else; returns its exit code. The model is handed over as in `up`.
        """
        ...
