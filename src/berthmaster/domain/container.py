"""What the Docker Engine shows, in the few fields that decisions need."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

LABEL: Final = "berthmaster"
LABEL_STACK: Final = f"{LABEL}.stack"  # `app@env/tenant`
LABEL_RELEASE: Final = f"{LABEL}.release"  # number; missing on state services
LABEL_SERVICE: Final = f"{LABEL}.service"
LABEL_ROLE: Final = f"{LABEL}.role"
LABEL_JOB: Final = f"{LABEL}.job"  # on one-off containers
LABEL_DEPLOYMENT: Final = f"{LABEL}.deployment"
PROJECT_LABEL: Final = "com.docker.compose.project"  # Compose's own, on what anybody starts
SERVICE_LABEL: Final = "com.docker.compose.service"
VOLUME_LABEL: Final = "com.docker.compose.volume"
ONE_OFF_LABEL: Final = "com.docker.compose.oneoff"
# On every container of the images in `images/`: says what the image is, not whose the container is.
LABEL_IMAGE: Final = f"{LABEL}.image"


def is_ours(labels: Mapping[str, str]) -> bool:
    """Whether Berthmaster made what carries these labels, and so may remove it."""
    return any(key.startswith(f"{LABEL}.") and key != LABEL_IMAGE for key in labels)


class Health(StrEnum):
    """The engine's own verdict."""

    NONE = "none"  # no healthcheck
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A port of the host that Docker leads into a container."""

    port: int  # of the host
    inside: int
    protocol: str = "tcp"
    address: str = ""  # of the host; empty: all

    @property
    def is_for_everybody(self) -> bool:
        """Whether every address of the host answers."""
        return self.address in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True)
class Container:
    name: str
    id: str
    image_id: str
    state: str  # created, running, restarting, exited, paused, dead
    health: Health
    restart_count: int
    exit_code: int | None
    is_oom_killed: bool
    started_at: datetime | None
    finished_at: datetime | None
    labels: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)  # network -> IPv4
    health_output: str = ""  # of the last healthcheck
    error: str = ""  # why the engine could not start it
    started_seconds: float | None = None
    healthcheck: tuple[str, ...] = ()  # as an argument vector, so that the gate can ask it itself
    image: str = ""  # as it was asked for
    published: tuple[PublishedPort, ...] = ()  # ports of the host that lead here while it runs
    restart: str = ""  # policy: always, unless-stopped, on-failure:3, no
    shares_host_network: bool = False

    @property
    def is_running(self) -> bool:
        return self.state == "running"


@dataclass(frozen=True, slots=True)
class Image:
    id: str
    repo_digests: tuple[str, ...]
    user: str  # as the image says: uid, name, or empty for root
    architecture: str
    size_bytes: int
    exposed_ports: tuple[int, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)  # that the image itself sets
    volumes: tuple[str, ...] = ()  # paths that get an anonymous volume unless one is mounted
    healthcheck: tuple[str, ...] = ()  # as written: `CMD` or `CMD-SHELL` and its words
    tags: tuple[str, ...] = ()  # `name:tag` by which this engine knows it


@dataclass(frozen=True, slots=True)
class Network:
    name: str
    id: str
    subnets: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    gateways: tuple[str, ...] = ()  # this machine's own addresses in it, where the engine says them


@dataclass(frozen=True, slots=True)
class Volume:
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EngineVersion:
    version: str
    api: str
    architecture: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    @property
    def can_deadlock(self) -> bool:
        """Whether two containers that leave one network at once can hang it (moby issue 46661).

        `20.10.24+dfsg1` counts as 20.10.24.
        """
        return tuple(int(part) for part in re.findall(r"\d+", self.version)[:3]) < (20, 10, 27)


@dataclass(frozen=True, slots=True)
class ExecResult:
    exit_code: int
    output: str
    errors: str = ""  # standard error
