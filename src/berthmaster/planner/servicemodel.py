"""One service of a rendered model: what of the Compose file is kept, set and dropped."""

import copy
from typing import Any, Final

from berthmaster.domain import container
from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.spec import JobSpec, Role
from berthmaster.planner import commands, networking
from berthmaster.planner import composemodel as compose
from berthmaster.planner.limits import check_connections, set_limits
from berthmaster.planner.rendering import RenderInputs, keeps_ports, running

# Set anew for every container, or without a meaning for one that runs in a release.
_NOT_COPIED: Final = frozenset(
    {
        "attach",
        "build",
        "configs",
        "container_name",
        "depends_on",
        "deploy",
        "develop",
        "env_file",
        "environment",
        "external_links",
        "image",
        "labels",
        "links",
        "networks",
        "ports",
        "profiles",
        "pull_policy",
        "scale",
        "secrets",
        "volumes",
        "volumes_from",
    }
)
_LOGGING: Final = {"driver": "json-file", "options": {"max-file": "3", "max-size": "10m"}}
_FOREIGN_LABELS: Final = (f"{container.LABEL}.", "com.docker.compose.")
START_INTERVAL_ENGINE: Final = 25  # Compose 2.26 refuses the key on an older engine (measured)


def plain_service(inputs: RenderInputs, name: str) -> dict[str, Any]:
    """All that every copy of a service shares, without mounts, networks and environment."""
    source = inputs.service(name)
    if source.get("volumes_from"):
        raise InvalidSpec(f"{name}: `volumes_from` is not supported, write its volumes out")
    kept = {
        key: copy.deepcopy(value)
        for key, value in source.items()
        if key not in _NOT_COPIED and value is not None
    }
    pin = inputs.pins.get(name)
    if pin is None and not source.get("image"):
        raise InvalidSpec(f"{name} has a `build` and no `image`: give what is built a name")
    kept["image"] = pin.runs_as if pin else str(source["image"])
    kept["pull_policy"] = "never"  # an explicit step pulled it: a registry cannot break a start
    kept["labels"] = _labels(inputs, name)
    kept.setdefault("logging", copy.deepcopy(_LOGGING))
    _set_restart(inputs, name, kept)
    _set_deploy(inputs, name, kept)
    if limits := inputs.spec.limits.get(name):
        reference = pin.reference if pin else str(source["image"])
        if limits.connections and inputs.role(name) is not Role.ROUTED:
            check_connections(name, limits, reference)
        set_limits(kept, limits, reference)
    _set_ports(inputs, name, kept)
    if inputs.engine_major < START_INTERVAL_ENGINE:
        (kept.get("healthcheck") or {}).pop("start_interval", None)
    return dict(sorted(kept.items()))


def job_service(inputs: RenderInputs, job: JobSpec, service: dict[str, Any]) -> dict[str, Any]:
    """Make a service the one run of a job: it ends, and nobody asks how it feels."""
    service["restart"] = "no"
    service["healthcheck"] = {"disable": True}
    service.pop("ports", None)
    service["labels"] = {
        **service["labels"],
        container.LABEL_JOB: job.name,
        container.LABEL_RELEASE: str(inputs.number),
        container.LABEL_ROLE: Role.JOB.value,
    }
    return service


def _labels(inputs: RenderInputs, name: str) -> dict[str, str]:
    own = {
        key: value
        for key, value in compose.labels_of(inputs.service(name)).items()
        if not key.startswith(_FOREIGN_LABELS) and key != container.LABEL
    }
    role = inputs.role(name)
    if role is not Role.STATE:
        own = {key: value for key, value in own.items() if not commands.PROXY_LABELS.match(key)}
    ours = {
        container.LABEL_STACK: str(inputs.stack),
        container.LABEL_SERVICE: name,
        container.LABEL_ROLE: role.value,
    }
    if role is not Role.STATE:
        ours[container.LABEL_RELEASE] = str(inputs.number)
    return dict(sorted({**own, **ours}.items()))


def _set_restart(inputs: RenderInputs, name: str, kept: dict[str, Any]) -> None:
    policy = (inputs.service(name).get("deploy") or {}).get("restart_policy") or {}
    condition = {"none": "no", "on-failure": "on-failure", "any": "unless-stopped"}
    if "restart" not in kept and policy:
        kept["restart"] = condition.get(str(policy.get("condition") or "any"), "unless-stopped")
    elif "restart" not in kept and inputs.environment.is_strict:
        kept["restart"] = "unless-stopped"


def _set_deploy(inputs: RenderInputs, name: str, kept: dict[str, Any]) -> None:
    """Of Swarm's section Compose applies the limits; copies are services of their own here."""
    limits = (inputs.service(name).get("deploy") or {}).get("resources")
    if limits:
        kept["deploy"] = {"resources": copy.deepcopy(limits)}


def _set_ports(inputs: RenderInputs, name: str, kept: dict[str, Any]) -> None:
    ports = inputs.service(name).get("ports")
    if not ports or not keeps_ports(inputs, name):
        return
    if inputs.role(name) in (Role.ROUTED, Role.CONSUMER):
        raise InvalidSpec(
            f"services.{name}.expose: two releases of a {inputs.role(name)} service run side by"
            " side and cannot publish the same port; route to it, or give it `role: single`"
        )
    kept["ports"] = copy.deepcopy(ports)


def describe_dropped(inputs: RenderInputs) -> list[str]:
    """What the Compose files ask for and a release does not get, one line each."""
    lines = networking.describe_dropped(inputs)
    lines += _dropped_volume_names(inputs)
    for name in compose.services_of(inputs.model):
        if inputs.role(name) is Role.REPLACED:
            lines.append(f"{name}: never run, the gateway stands in for it")
        else:
            lines += _dropped_of(inputs, name)
    return sorted(lines)


def _dropped_of(inputs: RenderInputs, name: str) -> list[str]:
    service = inputs.service(name)
    lines = []
    if not keeps_ports(inputs, name):
        lines += [_dropped_port(inputs, name, port) for port in compose.ports_of(service)]
    if service.get("container_name"):
        lines.append(f"{name}: container_name {service['container_name']}")
    if labels := _proxy_labels(inputs, name):
        lines.append(f"{name}: labels {labels}: a proxy that reads them would pass the gateway by")
    for key in ("links", "external_links"):
        lines += [f"{name}: {key} {item}" for item in service.get(key) or ()]
    if service.get("build"):
        lines.append(f"{name}: build (a release runs images)")
    return lines


def _proxy_labels(inputs: RenderInputs, name: str) -> str:
    """`traefik.*`; empty without one, and of a service that keeps them."""
    labels = compose.labels_of(inputs.service(name))
    found = {match[1] for key in labels if (match := commands.PROXY_LABELS.match(key))}
    is_kept = inputs.role(name) is Role.STATE
    return "" if is_kept else ", ".join(f"{item}.*" for item in sorted(found))


def _dropped_port(inputs: RenderInputs, name: str, port: compose.PublishedPort) -> str:
    is_routed = any(route.service == name for route in inputs.spec.routes)
    may_be_http = port.protocol == "tcp" and port.target not in commands.OTHER_PORTS
    hint = ""
    if inputs.role(name).is_app_service and may_be_http and not is_routed:
        hint = f" (to reach it: routes: [{{path: /, service: {name}, port: {port.target}}}])"
    return f"{name}: published port {port.text}{hint}"


def _dropped_volume_names(inputs: RenderInputs) -> list[str]:
    project = str(inputs.model.get("name") or "")
    used = {
        mount.source
        for name in running(inputs)
        for mount in compose.mounts_of(inputs.service(name))
        if mount.kind == "volume"
    }
    lines = []
    for key, volume in (inputs.model.get("volumes") or {}).items():
        written = str((volume or {}).get("name") or "")
        is_fixed = written not in ("", f"{project}_{key}")
        if key in used and is_fixed and not (volume or {}).get("external"):
            lines.append(
                f"volume {key}: name {written} (the stack uses {inputs.stack.project}_{key};"
                f" to keep that one, declare it `external: true`)"
            )
    return lines
