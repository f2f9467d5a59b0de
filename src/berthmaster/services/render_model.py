"""What the files of one environment mean: Compose renders them, then roles and policy are decided.

The first half of every deploy, and what `berth check` looks at; asks no registry and keeps nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from berthmaster.domain.errors import InvalidSpec, NotAllowed, NotFound
from berthmaster.domain.names import StackId, check_name
from berthmaster.domain.release import Release
from berthmaster.domain.spec import AppSpec, EnvironmentSpec, Overlay, Role
from berthmaster.planner.overlaying import put_in_place
from berthmaster.planner.policy import Violation, check_policy
from berthmaster.planner.roles import RoleDecision, decide_roles
from berthmaster.ports.compose import ComposeInputs
from berthmaster.ports.outside import Outside
from berthmaster.services.tenant_spec import read_spec

# The key of a service that a rule is about, where it is not named alike.
_SAID_BY: Final = {
    "mutable_tag": "image",
    "remote_build": "build",
    "capabilities": "cap_add",
    "docker_socket": "volumes",
    "absolute_bind": "volumes",
    "outside_bind": "volumes",
    "writable_bind": "volumes",
    "device": "devices",
}


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """What a person asked for."""

    stack: StackId
    folder: Path
    tag: str | None = None
    images: Mapping[str, str] = field(default_factory=dict)  # service -> reference
    command: str = "berth deploy"
    state_services: frozenset[str] = frozenset()  # to be changed on purpose, instead of a release
    verified: Release | None = None  # whose artifact is promoted: its images, not the tag's of now
    despite: str | None = None  # why it is done in spite of a hold or a freeze
    told: tuple[str, ...] = ()  # what was noticed before, for the plan's notes
    is_closed: bool = False  # visitors get the maintenance page until the switch
    like: Release | None = None  # whose images run, service by service, whatever tags mean now
    overlay: Overlay | None = None  # over the environment's Compose files; None: as what runs

    def options(self) -> dict[str, str]:
        """What counts for the fingerprint."""
        images = {f"image.{name}": reference for name, reference in self.images.items()}
        return {**images, **({"tag": self.tag} if self.tag else {})}


@dataclass(frozen=True, slots=True)
class Rendering:
    """The Compose model and what was decided about it."""

    spec: AppSpec
    environment: EnvironmentSpec
    model: Mapping[str, Any]
    decisions: tuple[RoleDecision, ...]
    violations: tuple[Violation, ...]


def environment_of(spec: AppSpec, stack: StackId) -> EnvironmentSpec:
    """The environment a stack lives in; raises `NotFound` with the known ones."""
    found = spec.environments.get(stack.environment)
    if found is None:
        known = ", ".join(sorted(spec.environments))
        raise NotFound(f"berth.yaml has no environment {stack.environment!r}; it has {known}")
    return found


async def render_model(
    outside: Outside, request: ReleaseRequest, *, is_lenient: bool = False
) -> Rendering:
    """Let Compose render the files, then decide roles and check the policy; raises nothing for
    violations, and with `is_lenient` nothing for guessed roles.
    """
    spec = read_spec(outside, request.folder, request.stack, request.overlay)
    environment = environment_of(spec, request.stack)
    outside.specs.check_compose_files(request.folder, environment.compose)
    secrets = outside.specs.secret_variables(spec, environment.name)
    inputs = compose_inputs(spec, environment, request, secrets)
    try:
        model = await outside.compose.config(request.stack.project, inputs)
    except InvalidSpec as error:
        if untagged := _without_tag(error, request, spec):
            raise untagged from error
        raise
    versioned = outside.specs.versioned_services(spec, environment.name)
    model, versioned = put_in_place(model, environment.renames, spec, versioned)
    if request.tag is not None and not versioned:
        raise InvalidSpec(
            f"--tag was given, but no service's image uses ${{{spec.release_variable}}}",
            next_command=f"write image: NAME:${{{spec.release_variable}}} in the Compose file, "
            "or use --image SERVICE=REF",
        )
    model = _with_images(model, request.images)
    decisions = decide_roles(model, spec, environment.name, versioned, is_lenient=is_lenient)
    if environment.rehearsal is not None:
        model = _with_own_values(model, decisions, environment.rehearsal.env)
    named = frozenset(request.images) | (versioned if request.tag else frozenset())
    found = check_policy(model, decisions, spec, environment.name, named)
    violations = tuple(_placed(outside, spec, environment.name, item) for item in found)
    return Rendering(spec, environment, model, decisions, violations)


def _without_tag(error: InvalidSpec, request: ReleaseRequest, spec: AppSpec) -> InvalidSpec | None:
    """What to say when only the tag is missing; None when something else is."""
    variable = re.compile(rf"variables? (?:[^:]*\W)?{spec.release_variable}\b")
    if request.tag is not None or not variable.search(error.message):
        return None
    return InvalidSpec(
        f"the images of {request.stack} want a tag: {spec.release_variable} has no value",
        location=error.location,
        next_command=f"{request.command} {request.stack} --tag TAG",
    )


def _placed(outside: Outside, spec: AppSpec, environment: str, item: Violation) -> Violation:
    """What is refused, with file and line where a Compose file says it."""
    if item.is_allowed_by is not None:
        return item
    key = _SAID_BY.get(item.rule, item.rule)
    place = item.service and outside.specs.place_of(spec, environment, item.service, key)
    return replace(item, evidence=f"{item.evidence} ({place})") if place else item


def compose_inputs(
    spec: AppSpec,
    environment: EnvironmentSpec,
    request: ReleaseRequest,
    secrets: Mapping[str, str],
) -> ComposeInputs:
    """What `docker compose config` is given; `secrets` are `Specs.secret_variables`."""
    variables = {**environment.values, **secrets}
    if request.tag is not None:
        variables[spec.release_variable] = check_name("tag", request.tag)
    return ComposeInputs(
        folder=request.folder,
        files=environment.compose,
        env_files=environment.env_file,
        variables=variables,
        profiles=environment.profiles,
    )


def variables_of(outside: Outside, folder: Path, environment: EnvironmentSpec) -> dict[str, str]:
    """Values of variables that are no secrets: those of the env files, and a tenant's over them."""
    return {**outside.specs.env_values(folder, environment.env_file), **environment.values}


def refuse_violations(violations: tuple[Violation, ...]) -> None:
    """Raise `NotAllowed` with every violation that no override allows."""
    refused = [item for item in violations if item.is_allowed_by is None]
    if refused:
        lines = [
            f"  {item.service}: {item.evidence} [{item.rule}]. {item.remedy}" for item in refused
        ]
        raise NotAllowed("the policy refuses this:\n" + "\n".join(lines))


def _with_own_values(
    model: Mapping[str, Any], decisions: tuple[RoleDecision, ...], values: Mapping[str, str]
) -> Mapping[str, Any]:
    """What a rehearsal's app services are told, whatever the files say; databases are not.

    The name of a secret that is a file stands for that file.
    """
    files = model.get("secrets") or {}
    values = {name: value for name, value in values.items() if name not in files}
    told = {item.service for item in decisions if item.role.is_app_service or item.role is Role.JOB}
    services = {
        name: {**item, "environment": {**(item.get("environment") or {}), **values}}
        if name in told
        else item
        for name, item in model["services"].items()
    }
    return {**model, "services": services}


def _with_images(model: Mapping[str, Any], images: Mapping[str, str]) -> Mapping[str, Any]:
    if not images:
        return model
    services = dict(model["services"])
    for name, reference in images.items():
        if name not in services:
            raise NotFound(f"--image names {name!r}, which is no service of the Compose files")
        services[name] = {**services[name], "image": reference}
    return {**model, "services": services}
