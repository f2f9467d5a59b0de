"""Artifact and release: what is promoted, and what one stack runs.

A release holds everything needed to run again (D10). Environment values and secret contents are in
`sealed`, never in `model`; the vault opens them only when Compose is about to start something.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from berthmaster.domain.names import StackId
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.domain.routing import Naming
from berthmaster.domain.spec import JobSpec, Overlay, RetentionSpec, Role, SmokeSpec

ADOPTED: Final = 0  # the number of the release that ran before Berthmaster came
STATE_FILES: Final = 0  # the "release number" of the folder that state services mount from


@dataclass(frozen=True, slots=True)
class ImagePin:
    """An image as asked for and as run."""

    reference: str  # `registry/name:tag` as the Compose file says
    runs_as: str  # `name@sha256:...`, or the image id when no registry knows it
    image_id: str = ""  # the engine's id, when it was there while planning


@dataclass(frozen=True, slots=True)
class Upstream:
    """One routed container of a release: the address is fixed while planning."""

    container: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class ReleaseRoute:
    """A path prefix of a release and who answers it: upstreams, or a site."""

    path: str
    service: str | None
    upstreams: tuple[Upstream, ...] = ()
    site: str | None = None
    ready: str | None = None
    ready_status: int | None = None
    strip: bool = False
    backend: int | None = None  # slot in the router's pool, given while planning
    hosts: tuple[str, ...] = ()  # only these hosts of the release; empty: all
    limit: int | None = None  # requests that each upstream is given at once


@dataclass(frozen=True, slots=True)
class ReleaseService:
    """One service of the stack with what was decided about it and why."""

    name: str
    role: Role
    reason: str
    containers: tuple[str, ...] = ()  # names, one for each replica
    compose_services: tuple[str, ...] = ()  # keys in the rendered model
    image: ImagePin | None = None
    drain_seconds: float = 30.0
    ready_seconds: float = 120.0
    stop_seconds: float = 10.0
    has_healthcheck: bool = False
    after: tuple[str, ...] = ()  # app services that must be ready before
    is_dumpable: bool = False  # a database that a restore point can be taken of


@dataclass(frozen=True, slots=True)
class ReleaseNetwork:
    """A network that Berthmaster addresses (D2)."""

    name: str
    subnet: str
    gateway: str
    dynamic_range: str  # addresses Docker may give out; the fixed ones are outside


def network_in(name: str, subnet: str) -> ReleaseNetwork:
    """Lay out a subnet: first address the gateway's, lower half fixed, upper half Docker's to give
    out.
    """
    whole = ipaddress.IPv4Network(subnet)
    _, upper = whole.subnets(prefixlen_diff=1)
    return ReleaseNetwork(name, subnet, str(whole.network_address + 1), str(upper))


@dataclass(frozen=True, slots=True)
class FileCopy:
    """A file or folder that the release carries, by content."""

    target: str  # relative to the release's folder
    digest: str  # in the content store
    mode: int = 0o444
    uid: int = 0
    is_secret: bool = False
    is_state: bool = False  # mounted by a state service: lies in the stack's own folder


@dataclass(frozen=True, slots=True)
class Rehearses:
    """What of production a rehearsal is about: while it is the same, it may be shipped."""

    release: int  # that was live when the copy was made
    fingerprint: str  # of all that production's next release would be made of


@dataclass(frozen=True, slots=True)
class Release:
    """One stack's numbered, immutable record."""

    stack: StackId
    number: int
    artifact: str  # content address of revision + inputs + digests + sites
    fingerprint: str  # of every input file and option: unchanged means nothing to do
    revision: str | None  # commit, when the folder is a repository
    tag: str | None
    services: tuple[ReleaseService, ...]
    routes: tuple[ReleaseRoute, ...]
    hosts: tuple[str, ...]
    entrypoint: str
    network: ReleaseNetwork
    stack_network: ReleaseNetwork
    volumes: tuple[str, ...]  # of the stack, never of the release
    model: Mapping[str, Any]  # Compose model of the release, without environment values
    state_model: Mapping[str, Any]  # Compose model of the state services, likewise
    sealed: bytes  # encrypted environment values and secret contents
    jobs: tuple[JobSpec, ...] = ()
    files: tuple[FileCopy, ...] = ()
    smoke: tuple[SmokeSpec, ...] = ()
    retention: RetentionSpec = field(default_factory=RetentionSpec)
    folder: str = ""  # of the app when it was released
    created_by: str = ""
    created_from: str = ""  # host and command
    created_at: datetime | None = None
    state: ReleaseState = ReleaseState.PREPARED
    # Hash by path of the files that are the same in every environment; empty in older records.
    inputs: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)  # named by `--image`, by service
    naming: Naming = Naming.NONE  # how requests for its own hosts say which tenant they are about
    validate_path: str | None = None  # where a pooled app says whether it knows a name
    adopted: Mapping[str, str] = field(default_factory=dict)  # container -> id: made by others
    adopted_from: str = ""  # the Compose project that they were started in
    # What the engine calls volumes that were there before; by their key in the Compose files.
    volume_names: Mapping[str, str] = field(default_factory=dict)
    overlay: Overlay = field(default_factory=Overlay)  # over what berth.yaml says
    rehearses: Rehearses | None = None  # of a rehearsal's release

    @property
    def label(self) -> str:
        """How people name it: `r7`."""
        return f"r{self.number}"

    @property
    def key(self) -> str:
        """How the router's tables name it."""
        return self.stack.release_key(self.number)

    @property
    def project(self) -> str:
        """Its Compose project."""
        return self.stack.release_project(self.number)

    def handles(self, *services: ReleaseService) -> tuple[str, ...]:
        """How the engine is told of their containers: adopted ones by id, ours by name."""
        names = (name for item in services for name in item.containers)
        return tuple(self.adopted.get(name, name) for name in names)

    def with_role(self, *roles: Role) -> tuple[ReleaseService, ...]:
        """The services that have one of these roles."""
        return tuple(service for service in self.services if service.role in roles)
