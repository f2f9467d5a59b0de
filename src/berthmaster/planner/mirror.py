"""In what two environments of an app differ, as their files say; pure.

Stage must be like prod to prove anything: the same services, keys, policy and resources. Left out
is what makes an environment itself: its name, its hosts, its entrypoint, ports that the gateway
drops, digests, and every value of a setting or a secret. A difference that is meant is listed in
berth.yaml (`intended`), with its reason.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from berthmaster.domain.spec import AppSpec, EnvironmentSpec, IntendedDifference
from berthmaster.planner import composemodel as compose
from berthmaster.planner.flat import flat
from berthmaster.planner.roles import RoleDecision
from berthmaster.planner.sealing import known_secrets

ABSENT: Final = "-"
_OWN: Final = frozenset({"build", "container_name", "environment", "env_file", "ports", "scale"})
# What may be shown: no setting of the app, and nothing that a secret could be part of.
_SHOWN: Final = (
    "image",
    "role",
    "replicas",
    "deploy",
    "mem_limit",
    "mem_reservation",
    "memswap_limit",
    "cpus",
    "cpu_shares",
    "pids_limit",
    "shm_size",
    "restart",
    "user",
    "read_only",
    "privileged",
    "cap_add",
    "cap_drop",
    "security_opt",
    "networks",
    "profiles",
    "init",
    "stop_grace_period",
)


@dataclass(frozen=True, slots=True)
class Side:
    """One environment, rendered."""

    spec: AppSpec
    environment: EnvironmentSpec
    model: Mapping[str, Any]
    decisions: tuple[RoleDecision, ...]
    variables: Mapping[str, str]  # of its env files


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs; values that may not be shown read `differs`."""

    what: str  # `services.web.deploy.resources.limits.memory`
    left: str
    right: str
    why: str | None = None  # it is meant


def mirrored(spec: AppSpec, environment: str) -> str | None:
    """The environment that one must be like; `stage` mirrors `prod` without being told to."""
    there = spec.environments[environment]
    if there.mirrors is not None:
        return there.mirrors
    return "prod" if environment == "stage" and "prod" in spec.environments else None


def differences(left: Side, right: Side) -> tuple[Difference, ...]:
    """Everything that differs, by name; what either environment lists as meant says why."""
    ours, theirs = _facts(left), _facts(right)
    meant = (*left.environment.intended, *right.environment.intended)
    names = _without_parts_of_missing(ours, theirs)
    return tuple(
        Difference(name, *_shown(name, ours.get(name), theirs.get(name)), _why(name, meant))
        for name in names
        if ours.get(name) != theirs.get(name)
    )


def unused(left: Side, right: Side, found: Iterable[Difference]) -> tuple[str, ...]:
    """What is listed as meant and does not differ."""
    names = [item.what for item in found]
    meant = (*left.environment.intended, *right.environment.intended)
    return tuple(
        item.what for item in meant if not any(_matches(name, item.what) for name in names)
    )


def _facts(side: Side) -> dict[str, str]:
    neutral = _Neutral(side)
    roles = {item.service: item.role.value for item in side.decisions}
    found: dict[str, str] = {}
    for name, service in compose.services_of(side.model).items():
        kept = {key: value for key, value in service.items() if key not in _OWN}
        kept["image"] = str(service.get("image") or "").partition("@")[0]
        kept["role"] = roles.get(name, "")
        kept["replicas"] = _replicas(side, name, service)
        at = f"services.{name}"
        found[at] = "there"
        found |= flat(neutral.of(kept), at)
        keys = compose.environment_of(service)
        found |= {f"{at}.environment.{neutral.text(key)}": "set" for key in keys}
    for section in ("volumes", "networks", "secrets", "configs"):
        found |= flat(neutral.of(side.model.get(section) or {}), section)
    return found | _policy(side.environment)


def _policy(there: EnvironmentSpec) -> dict[str, str]:
    found = {"policy.strict": str(there.is_strict).lower()}
    found |= {f"policy.allow.{item.service}.{item.rule}": item.why for item in there.allow}
    found |= {f"policy.allow.{item.check}": item.why for item in there.overrides}
    return found | {f"profiles.{name}": "on" for name in there.profiles}


def _replicas(side: Side, name: str, service: Mapping[str, Any]) -> int:
    declared = (service.get("deploy") or {}).get("replicas") or service.get("scale")
    return side.environment.replicas.get(name) or int(declared or 1)


def _without_parts_of_missing(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Every name, but of a service that one side has not only its own."""
    missing = {
        name
        for name in ours.keys() ^ theirs.keys()
        if name.startswith("services.") and name.count(".") == 1
    }
    names = sorted(ours.keys() | theirs.keys())
    return [name for name in names if not any(name.startswith(f"{one}.") for one in missing)]


def _shown(name: str, left: str | None, right: str | None) -> tuple[str, str]:
    if left is None or right is None:
        return ("there" if left is not None else ABSENT, "there" if right is not None else ABSENT)
    parts = name.split(".")
    is_plain = parts[0] in ("policy", "profiles")
    if is_plain or (parts[0] == "services" and len(parts) > 2 and parts[2] in _SHOWN):
        return left, right
    return "differs", "differs"


def _why(name: str, meant: Iterable[IntendedDifference]) -> str | None:
    return next((item.why for item in meant if _matches(name, item.what)), None)


def _matches(name: str, pattern: str) -> bool:
    parts, wanted = name.split("."), pattern.split(".")
    if len(wanted) > len(parts):
        return False
    return all(fnmatchcase(part, one) for part, one in zip(parts, wanted, strict=False))


class _Neutral:
    """Takes out of texts what is an environment's own."""

    def __init__(self, side: Side) -> None:
        project = f"{side.spec.app}-{side.environment.name}"
        own = {project: f"{side.spec.app}-<env>"}
        own |= {host.removeprefix("*."): "<host>" for host in side.environment.hosts}
        own |= {value: place for place, value in known_secrets(side.model, side.variables)}
        texts = "|".join(re.escape(text) for text in sorted(own, key=lambda text: -len(text)))
        word = re.escape(side.environment.name)
        self._own = own
        self._texts = re.compile(f"{texts}|(?<![A-Za-z0-9]){word}(?![A-Za-z0-9])")

    def text(self, value: str) -> str:
        """The same in every environment, unless it means something else."""
        return self._texts.sub(lambda match: self._own.get(match.group(), "<env>"), value)

    def of(self, value: Any) -> Any:
        """Every text inside a value."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.of(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(item) for item in value]
        return value
