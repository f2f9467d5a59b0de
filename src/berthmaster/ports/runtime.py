"""The Docker Engine, as far as Berthmaster observes, gates and tidies."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from berthmaster.domain.container import (
    Container,
    EngineVersion,
    ExecResult,
    Image,
    Network,
    Volume,
)
from berthmaster.domain.release import ReleaseNetwork

PullProgress = Callable[[str, int, int], None]  # image, bytes done, bytes in all


class Runtime(Protocol):
    """Observe containers, images, networks and volumes, and change only what carries our labels.

    Every call raises `RuntimeUnavailable` when the engine does not answer. Creating what is there
    and removing what is not are no errors.
    """

    async def version(self) -> EngineVersion: ...

    async def containers(
        self, labels: Mapping[str, str], *, detailed: bool = False
    ) -> tuple[Container, ...]:
        """All containers, running or not, with these labels (an empty value: any value), by name.

        One cheap call: state, health, exit code, labels and addresses are true, but `restart_count`
        is 0 and times, OOM flag, health output and error are empty unless `detailed`, which
        inspects each.
        """
        ...

    async def container(self, name: str) -> Container | None: ...

    async def start(self, name: str) -> None:
        """Raises `OutsideError` when there is no such container; a running one is left alone."""
        ...

    async def stop(self, name: str, timeout_seconds: float) -> None:
        """SIGTERM, then SIGKILL after the time; a stopped or missing one is left alone."""
        ...

    async def set_restart(self, name: str, policy: str) -> None:
        """Give a container, ours or not, a restart policy: `always`, `on-failure:3`, `no`.

        Raises `OutsideError` when there is no such container.
        """
        ...

    async def remove(self, name: str) -> None:
        """Remove a stopped or running container and its anonymous volumes; refuses foreign ones."""
        ...

    async def await_exit(self, name: str, timeout_seconds: float) -> int | None:
        """Exit code, or None when it still runs, or was never started, after the time.

        Raises `OutsideError` when there is no such container.
        """
        ...

    async def logs(self, name: str, *, lines: int) -> str: ...

    def follow_logs(
        self, name: str, *, lines: int, since: str | None = None, follow: bool = True
    ) -> AsyncIterator[str]: ...

    async def execute(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        into: Path | None = None,
        source: Path | None = None,
        timeout_seconds: float = 60.0,
    ) -> ExecResult:
        """Run a command inside a container, with the file `source` as its standard input.

        Standard output goes to the file `into` (0600) when it is given, else to `output`; standard
        error is in `errors`. Of both only the end is kept. Raises `OutsideError` when it does not
        end in time.
        """
        ...

    async def listening(self, name: str) -> tuple[str, ...]:
        """`address:port` of every TCP listener in the container's network namespace.

        Read from the host's /proc/<pid>/net/tcp; empty when that cannot be done.
        """
        ...

    async def connected(self, name: str, ports: Sequence[int]) -> int:
        """How many TCP connections are open to these ports of a container; 0 when none runs."""
        ...

    async def callers(self, name: str, ports: Sequence[int]) -> tuple[str, ...]:
        """IP addresses that are connected to these ports of a container, or were a moment ago."""
        ...

    async def image(self, reference: str) -> Image | None: ...

    async def pull(self, reference: str, progress: PullProgress | None = None) -> None:
        """Raises `ImageNotFound` when no registry has it."""
        ...

    async def find_programs(self, image: str, names: Sequence[str]) -> frozenset[str]:
        """Which of these programs a local image has: a path at its place, a name on its PATH.

        Nothing of the image is run. Raises `OutsideError` for an image that is not here.
        """
        ...

    async def volume_text(self, image: str, volume: str, path: str) -> str | None:
        """A small text file of a volume, read through a local image that is not run.

        None when there is no such file. A volume that is not there must not be asked about.
        """
        ...

    async def images(self) -> tuple[Image, ...]:
        """All local images, without user, architecture and ports: `image` knows those."""
        ...

    async def remove_image(self, reference: str) -> None: ...

    async def networks(self, labels: Mapping[str, str] | None = None) -> tuple[Network, ...]: ...

    async def create_network(self, network: ReleaseNetwork, labels: Mapping[str, str]) -> None: ...

    async def remove_network(self, name: str) -> None: ...

    async def join_network(
        self, network: str, container: str, *, aliases: Sequence[str], address: str | None
    ) -> None:
        """Connect a container, by id, to a network of ours, without a restart.

        The one change that is made to a container of somebody else. Raises `NotAllowed` for a
        network that is not ours, `OutsideError` for a container that is not there or cannot join.
        """
        ...

    async def leave_network(self, network: str, container: str) -> None:
        """Undo `join_network`; whoever is not in it, or not there, is left alone."""
        ...

    async def volumes(self, labels: Mapping[str, str]) -> tuple[Volume, ...]: ...

    async def create_volume(self, name: str, labels: Mapping[str, str]) -> None: ...

    async def remove_volume(self, name: str) -> None: ...

    async def volume_sizes(self) -> Mapping[str, int]:
        """Bytes in every local volume, by name, from one call.

        Those that the engine does not measure are left out: of other drivers, or with options.
        """
        ...

    async def memory(self, names: Sequence[str]) -> Mapping[str, int]:
        """Bytes of memory that containers hold now; who does not run is left out."""
        ...

    async def close(self) -> None: ...
