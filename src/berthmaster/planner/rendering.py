"""What goes into a rendering and what comes out; what `render.py` and its parts share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.names import StackId
from berthmaster.domain.release import ImagePin, ReleaseNetwork, ReleaseRoute, ReleaseService
from berthmaster.domain.spec import AppSpec, EnvironmentSpec, JobSpec, Role
from berthmaster.planner import composemodel as compose
from berthmaster.planner.roles import RoleDecision


@dataclass(frozen=True, slots=True)
class FileRequest:
    """A file or folder that the release must carry, from `source` unless `content` is set."""

    source: str  # absolute path; empty when the content is given
    target: str  # relative to the release's folder (the model names it there)
    mode: int = 0o444
    uid: int = 0
    is_secret: bool = False
    content: str | None = field(default=None, repr=False)  # inline `content:` or `environment:`
    is_state: bool = False  # mounted by a state service, which outlives the release


@dataclass(frozen=True, slots=True)
class RenderInputs:
    """Everything a rendering depends on."""

    stack: StackId
    number: int
    spec: AppSpec
    model: Mapping[str, Any] = field(repr=False)  # as `docker compose config` printed it
    decisions: tuple[RoleDecision, ...]
    network: ReleaseNetwork
    stack_network: ReleaseNetwork
    folder: str  # absolute folder of the release's files
    engine_major: int
    pins: Mapping[str, ImagePin] = field(default_factory=dict)  # missing: image as written
    users: Mapping[str, str] = field(default_factory=dict)  # service -> `Image.user` of its image
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # `Specs.env_values`
    secret_files: Mapping[str, str] = field(default_factory=dict)  # file name -> absolute path
    secret_variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # from files too
    volume_names: Mapping[str, str] = field(default_factory=dict)  # that were there before, by key
    state_folder: str | None = None  # for files of state services; None: `folder`

    @property
    def environment(self) -> EnvironmentSpec:
        """The environment of the stack."""
        return self.spec.environments[self.stack.environment]

    def service(self, name: str) -> Mapping[str, Any]:
        """A service as Compose rendered it."""
        found: Mapping[str, Any] = self.model["services"][name] or {}
        return found

    def role(self, name: str) -> Role:
        """What was decided about a service; raises `InvalidSpec` for one that is not there."""
        for decision in self.decisions:
            if decision.service == name:
                return decision.role
        raise InvalidSpec(f"there is no service `{name}` in {self.environment.name}")

    def files_folder(self, is_state: bool) -> str:
        """Where a service's files lie."""
        return (self.state_folder or self.folder) if is_state else self.folder

    def replicas(self, name: str) -> int:
        """How many containers run of a service; one of everything that must not be doubled."""
        role, service = self.role(name), self.service(name)
        if role not in (Role.ROUTED, Role.CONSUMER):
            return 1
        written = (service.get("deploy") or {}).get("replicas") or service.get("scale") or 1
        return self.environment.replicas.get(name, int(written))


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a release runs; `environment` is secret and goes to the vault."""

    model: Mapping[str, Any]
    state_model: Mapping[str, Any]
    environment: Mapping[str, Mapping[str, str]] = field(repr=False)  # by key of either model
    services: tuple[ReleaseService, ...] = ()
    routes: tuple[ReleaseRoute, ...] = ()
    jobs: tuple[JobSpec, ...] = ()  # declared ones, and Compose services that are jobs
    volumes: tuple[str, ...] = ()  # to create; external ones are not among them
    dropped: tuple[str, ...] = ()
    two_writers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[FileRequest, ...] = ()


def service_key(name: str, number: int, replica: int) -> str:
    """The key of one replica in the release's model."""
    return f"{name}-r{number}-{replica}"


def service_container(inputs: RenderInputs, name: str, replica: int) -> str:
    """The name of a container: of one replica, or of the stack's only one."""
    if inputs.role(name) is Role.STATE:
        return f"{inputs.stack.project}-{name}-1"
    return f"{inputs.stack.release_project(inputs.number)}-{name}-{replica}"


def job_key(name: str, number: int) -> str:
    """The key of a job's service in the release's model."""
    return f"job-{name}-r{number}"


def job_container(stack: StackId, name: str, number: int) -> str:
    """The name of a job's container."""
    return f"{stack.release_project(number)}-job-{name}"


def volume_name(inputs: RenderInputs, key: str) -> str:
    """What the engine calls a volume: the stack's own name for it, or the external one."""
    volume = (inputs.model.get("volumes") or {}).get(key) or {}
    if key in inputs.volume_names:
        return inputs.volume_names[key]
    if volume.get("external"):
        return str(volume.get("name") or key)
    return f"{inputs.stack.project}_{key}"


def keeps_ports(inputs: RenderInputs, name: str) -> bool:
    """Whether a service's published ports survive (D2: as a rule they do not)."""
    if inputs.spec.service(name).expose_host:
        return True
    return inputs.role(name) is Role.STATE and not inputs.environment.is_strict


def running(inputs: RenderInputs) -> tuple[str, ...]:
    """Every service that is run by somebody, sorted."""
    names = compose.services_of(inputs.model)
    return tuple(name for name in names if inputs.role(name) is not Role.REPLACED)
