"""One Docker Engine in memory, which the twins of runtime, Compose, prober and databases share.

Deterministic, without input or output. Every call of a twin passes `calling`, where a test makes it
fail before or after its effect: a failed call is often one that worked and was not heard.
"""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address, ip_network

from berthmaster.domain.container import Container, Health, Image, PublishedPort
from berthmaster.domain.errors import OutsideError, RuntimeUnavailable
from berthmaster.domain.release import ReleaseNetwork
from berthmaster.ports.clock import Clock
from berthmaster.testing.behaviour import DONE, Behaviour
from berthmaster.testing.clock import FakeClock

ABSENT: OutsideError = RuntimeUnavailable(
    "the Docker Engine does not answer", subject="docker", retryable=True
)
FAILED: OutsideError = OutsideError("made to fail by a test", subject="test")


@dataclass(slots=True)
class FakeContainer:
    """A container as the world knows it; `Container` is what callers see."""

    name: str
    id: str
    image_id: str
    behaviour: Behaviour
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    addresses: Mapping[str, str]  # network -> address, kept while stopped
    state: str = "created"
    exit_code: int | None = None
    observations: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    image: str = ""  # as it was asked for
    published: tuple[PublishedPort, ...] = ()
    restart: str = "no"
    shares_host_network: bool = False
    connections: int = 0  # that clients hold open to it while it runs
    callers: tuple[str, ...] = ()  # addresses that are connected to it while it runs
    memory_bytes: int = 1  # that it holds while it runs

    def start(self, now: datetime) -> None:
        """Run from the beginning of the script; a running one goes on."""
        if self.state in ("running", "restarting"):
            return
        self.state, self.exit_code, self.observations = "running", None, 0
        self.started_at, self.finished_at = now, None
        if self.behaviour.exit_code is not None:
            self.end(self.behaviour.exit_code, now)

    def end(self, code: int, now: datetime) -> None:
        """Stop running with this code; one that does not run keeps its own."""
        if self.state in ("running", "restarting"):
            self.state, self.exit_code, self.finished_at = "exited", code, now

    def observe(self, now: datetime) -> None:
        """Let the script go on by one observation."""
        self.observations += 1
        script = self.behaviour
        if self.state == "running" and script.crashes:
            self.state = "restarting"
        if script.dies_after is not None and self.observations > script.dies_after:
            self.end(1, now)

    def seen(self, now: datetime, *, is_detailed: bool) -> Container:
        """What the engine shows of it: all of it, or a row of its list."""
        running = self.state == "running" and self.started_at is not None
        age = (now - self.started_at).total_seconds() if running and self.started_at else None
        return Container(
            name=self.name,
            id=self.id,
            image_id=self.image_id,
            state=self.state,
            health=self._health(),
            restart_count=self.observations if is_detailed and self.behaviour.crashes else 0,
            exit_code=self.exit_code,
            is_oom_killed=False,
            started_at=self.started_at if is_detailed else None,
            finished_at=self.finished_at if is_detailed else None,
            labels=dict(self.labels),
            addresses=dict(self.addresses),
            started_seconds=age if is_detailed else None,
            image=self.image if is_detailed else "",
            published=self.published if is_detailed else (),
            restart=self.restart if is_detailed else "",
            shares_host_network=is_detailed and self.shares_host_network,
        )

    def _health(self) -> Health:
        script = self.behaviour
        if script.health is Health.NONE or self.state != "running":
            return script.health if self.state == "running" else Health.NONE
        return script.health if self.observations >= script.health_after else Health.STARTING


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The world by value, for comparing before and after; images are retention's business."""

    containers: tuple[tuple[str, str, str, tuple[tuple[str, str], ...]], ...]
    networks: tuple[tuple[str, str], ...]
    volumes: tuple[str, ...]


@dataclass(slots=True)
class FakeEngine:
    """Everything an engine holds; tests read and change it at will."""

    clock: Clock = field(default_factory=FakeClock)
    images: dict[str, Image] = field(default_factory=dict)  # by every name it has here
    remote_images: dict[str, Image] = field(default_factory=dict)  # what registries would give
    containers: dict[str, FakeContainer] = field(default_factory=dict)
    networks: dict[str, ReleaseNetwork] = field(default_factory=dict)
    network_labels: dict[str, Mapping[str, str]] = field(default_factory=dict)
    volumes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    absent_until: float = 0.0  # monotonic: nothing of it answers before, as when it is restarted
    programs: dict[str, frozenset[str]] = field(default_factory=dict)  # by image id; others: all
    volume_bytes: dict[str, int] = field(default_factory=dict)  # of those that can be measured
    volume_files: dict[tuple[str, str], str] = field(default_factory=dict)  # volume and path
    calls: list[tuple[str, str]] = field(default_factory=list)  # method and subject, in order
    ended_sessions: set[str] = field(default_factory=set)  # by the address of their client
    harmed: set[str] = field(default_factory=set)  # containers whose database was changed for good
    _scripts: dict[str, Behaviour] = field(default_factory=dict)
    _failures: dict[str, list[tuple[Exception, bool]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def add_image(self, *names: str, is_local: bool = True, user: str = "") -> Image:
        """Make an image that has these names; without `is_local` it has to be pulled."""
        image = Image(
            id=f"sha256:{hashlib.sha256(names[0].encode()).hexdigest()}",
            repo_digests=tuple(name for name in names if "@" in name),
            user=user,
            architecture="amd64",
            size_bytes=1_000_000,
            exposed_ports=(8000,),
            tags=tuple(name for name in names if "@" not in name) if is_local else (),
        )
        shelf = self.images if is_local else self.remote_images
        shelf.update(dict.fromkeys((*names, image.id) if is_local else names, image))
        return image

    def script(self, name: str, behaviour: Behaviour) -> None:
        """Say how a container, by its name, or all of an image, by any of its names, will behave.

        Containers that exist behave so from now on; a container's own script wins over its image's.
        """
        image = self.images.get(name) or self.remote_images.get(name)
        key = image.id if image else name
        self._scripts[key] = behaviour
        for container in self.containers.values():
            if key in (container.name, container.image_id):
                container.behaviour = behaviour

    def behaviour_of(self, name: str, image_id: str, *, is_job: bool) -> Behaviour:
        """How a new container will behave; a job without a script of its own ends well at once."""
        if name in self._scripts:
            return self._scripts[name]
        return DONE if is_job else self._scripts.get(image_id, Behaviour())

    def fail_next(
        self, method: str, error: Exception | None = None, *, is_late: bool = False
    ) -> None:
        """Make the next call of `runtime.stop`, `compose.up`, ... fail; late: after its effect."""
        self._failures[method].append((error or FAILED, is_late))

    @contextmanager
    def calling(self, method: str, subject: str = "") -> Iterator[None]:
        """Note a call and fail where a test wants it."""
        self.calls.append((method, subject))
        if self.clock.monotonic() < self.absent_until and not method.startswith("registry."):
            raise ABSENT
        error, is_late = self._failures[method].pop(0) if self._failures[method] else (None, False)
        if error is not None and not is_late:
            raise error
        yield
        if error is not None:
            raise error

    def add_container(
        self,
        name: str,
        image: Image,
        *,
        labels: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        addresses: Mapping[str, str] | None = None,
        is_job: bool = False,
    ) -> FakeContainer:
        """Create one, not started; the names of its networks are the keys of `addresses`."""
        made = FakeContainer(
            name=name,
            id=f"{next(self._numbers):064x}",
            image_id=image.id,
            behaviour=self.behaviour_of(name, image.id, is_job=is_job),
            labels=dict(labels or {}),
            environment=dict(environment or {}),
            addresses=dict(addresses or {}),
        )
        self.containers[name] = made
        return made

    def at_address(self, address: str) -> FakeContainer | None:
        """The running container with this address."""
        for container in self.containers.values():
            if container.state == "running" and address in container.addresses.values():
                return container
        return None

    def is_locked_out(self, name: str) -> bool:
        """Whether a container waits for a lock of another, or the other changed what it needs."""
        for item in self.containers.values():
            if name not in item.behaviour.locks_out or item.started_at is None:
                continue
            if item.behaviour.commits:
                self.harmed.add(name)
            elif item.behaviour.exit_code is None and not self._has_let_go(item):
                return True
        return name in self.harmed

    def _has_let_go(self, item: FakeContainer) -> bool:
        is_ended = self.ended_sessions.issuperset(item.addresses.values())
        return item.state != "running" and is_ended

    def free_address(self, network: str) -> str:
        """The next address that the engine may give out in a network; raises when there is none."""
        wanted = self.networks[network]
        used = {item.addresses.get(network) for item in self.containers.values()}
        for address in ip_network(wanted.dynamic_range):
            if str(address) not in used and address != ip_address(wanted.gateway):
                return str(address)
        raise OutsideError(f"network {network} has no address left", subject=network)

    def snapshot(self) -> Snapshot:
        """The world as it is, without what no undo brings back: ids, times, counts, images."""
        return Snapshot(
            containers=tuple(
                (item.name, item.image_id, item.state, tuple(sorted(item.addresses.items())))
                for _, item in sorted(self.containers.items())
            ),
            networks=tuple((name, item.subnet) for name, item in sorted(self.networks.items())),
            volumes=tuple(sorted(self.volumes)),
        )
