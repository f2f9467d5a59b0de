"""The Compose models of one release and of its stack's state services.

Pure and deterministic: equal inputs give equal models, in sorted order. Nothing secret stays in a model:
environment values are split out and come back, by `with_environment`, just before Compose runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from berthmaster.domain.names import StackId
from berthmaster.domain.release import ImagePin, ReleaseNetwork, ReleaseRoute, ReleaseService
from berthmaster.domain.spec import AppSpec, JobSpec
from berthmaster.planner.roles import RoleDecision


@dataclass(frozen=True, slots=True)
class FileRequest:
    """A file or folder that the release must carry; from `source`, or from `content` when that is set."""

    source: str  # absolute path; empty when the content is given
    target: str  # relative to the release's folder (the model names it there)
    mode: int = 0o444
    uid: int = 0
    is_secret: bool = False
    content: str | None = field(default=None, repr=False)  # inline `content:` or `environment:`


@dataclass(frozen=True, slots=True)
class RenderInputs:
    """Everything a rendering depends on."""

    stack: StackId
    number: int
    spec: AppSpec
    model: Mapping[str, Any] = field(repr=False)  # as `docker compose config --format json` printed it
    decisions: tuple[RoleDecision, ...]
    network: ReleaseNetwork
    stack_network: ReleaseNetwork
    folder: str  # absolute folder of the release's files
    engine_major: int
    pins: Mapping[str, ImagePin] = field(default_factory=dict)  # by service; missing: image as written
    users: Mapping[str, str] = field(default_factory=dict)  # service -> `Image.user` of its image
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # `Specs.env_values`
    secret_files: Mapping[str, str] = field(default_factory=dict)  # secret -> file of the env's folder
    state_folder: str | None = None  # for files of state services; None: `folder`


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a release runs; `environment` is secret and goes to the vault."""

    model: Mapping[str, Any]
    state_model: Mapping[str, Any]
    environment: Mapping[str, Mapping[str, str]] = field(repr=False)  # by key of either model
    services: tuple[ReleaseService, ...] = ()
    routes: tuple[ReleaseRoute, ...] = ()
    jobs: tuple[JobSpec, ...] = ()  # declared ones and Compose services with the role of a job
    volumes: tuple[str, ...] = ()  # to create; external ones are not among them
    dropped: tuple[str, ...] = ()
    two_writers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[FileRequest, ...] = ()


def job_key(name: str, number: int) -> str:
    """The key of a job's service in the release's model."""
    return f"job-{name}-r{number}"


def job_container(stack: StackId, name: str, number: int) -> str:
    """The name of a job's container."""
    return f"{stack.release_project(number)}-job-{name}"


def render_release(inputs: RenderInputs) -> Rendered:
    """Render a release; raises `InvalidSpec` for what cannot run side by side and `NoAddressLeft`."""
    raise NotImplementedError


def with_environment(
    model: Mapping[str, Any], environment: Mapping[str, Mapping[str, str]]
) -> Mapping[str, Any]:
    """A copy of a rendered model with its environment values put back; it is secret from here on.

    Raises `Bug` when a value is missing: a container must never start with half its settings.
    """
    raise NotImplementedError
