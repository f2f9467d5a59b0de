"""Rules about what a container may reach of its host: namespaces, devices, capabilities, labels.

Each finding is (rule, evidence, remedy). Values are read as Compose reads them: `"true"` is true.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from berthmaster.domain import container
from berthmaster.planner import composemodel as compose

# Part of what Docker grants by default, or without effect on the host (capabilities(7)).
SAFE_CAPABILITIES: Final = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "IPC_LOCK",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
        "SYS_NICE",
    }
)
_NAMESPACES: Final = ("network_mode", "pid", "ipc", "userns_mode", "uts", "cgroup")
_SOCKETS: Final = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock")
_ABOVE: Final = ("/", "/var", "/var/run", "/run", "/run/containerd", "/var/lib/docker")
_DEVICE_KEYS: Final = ("devices", "device_cgroup_rules", "gpus")
_REMOTE: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*://|git@|github\.com/)")
_TAKE_OUT: Final = "take it out, or allow it under `policy.allow` with a reason"


def findings(service: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Everything a service asks of its host."""
    if is_true(service.get("privileged")):
        yield "privileged", "privileged: true", _TAKE_OUT
    yield from _namespaces(service)
    yield from _programs(service)
    yield from _devices(service)
    yield from _capabilities(service)
    yield from _security_options(service)
    yield from _labels(service)


def is_true(value: Any) -> bool:
    """Whether a value counts as true to Compose."""
    return value is True or str(value).lower() in ("true", "yes", "on", "y", "1")


def reaches_socket(source: str) -> bool:
    """Whether a bind hands over a container engine's socket, or a folder that holds it."""
    path = str(PurePosixPath(source.replace("//", "/")))
    return path in _SOCKETS or path in _ABOVE or path.endswith(("/docker.sock", "/podman.sock"))


def _namespaces(service: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key in _NAMESPACES:
        mode = str(service.get(key) or "")
        if mode == "host":
            yield f"host_{key.removesuffix('_mode')}", f"{key}: host", _TAKE_OUT
        elif mode.startswith("container:"):
            yield "foreign_namespace", f"{key}: {mode}", "use `service:NAME` of this app"
    if service.get("cgroup_parent"):
        yield "cgroup_parent", f"cgroup_parent: {service['cgroup_parent']}", _TAKE_OUT


def _programs(service: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What runs outside the container's own limits: builds, hooks, providers on the host."""
    build = service.get("build")
    build = build if isinstance(build, Mapping) else {"context": build or ""}
    if str(build.get("network") or "") == "host":
        yield "host_network", "build.network: host", _TAKE_OUT
    if is_true(build.get("privileged")):
        yield "privileged", "build.privileged: true", _TAKE_OUT
    if _REMOTE.match(str(build.get("context"))):
        yield "remote_build", f"build.context: {build['context']}", "build from the app's folder"
    for key in ("post_start", "pre_stop", "pre_start"):
        if any(is_true(hook.get("privileged")) for hook in service.get(key) or ()):
            yield "privileged", f"{key} with privileged: true", _TAKE_OUT
    if service.get("provider"):
        yield "provider", "provider: runs a program on this server", "take it out"


def _devices(service: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key in _DEVICE_KEYS:
        if service.get(key):
            yield "devices", f"{key}: {_shown(service[key])}", _TAKE_OUT
    limits = ((service.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    if limits.get("devices"):
        yield "devices", "deploy.resources.reservations.devices", _TAKE_OUT


def _capabilities(service: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for item in service.get("cap_add") or ():
        name = str(item).upper().removeprefix("CAP_")
        if name not in SAFE_CAPABILITIES:
            yield "capabilities", f"cap_add: {name}", _TAKE_OUT


def _security_options(service: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for item in service.get("security_opt") or ():
        text = str(item).replace("=", ":").replace(" ", "")
        if not text.startswith("no-new-privileges") or text.endswith(":false"):
            yield "security_opt", f"security_opt: {item}", _TAKE_OUT


def _labels(service: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    reserved = (f"{container.LABEL}.", "com.docker.compose.")
    for key in sorted(compose.labels_of(service)):
        if key.lower().startswith(reserved) or key == container.LABEL:
            yield "reserved_label", f"label {key}", "choose another name: these are read as ours"


def _shown(value: Any) -> str:
    items = value if isinstance(value, list | tuple) else [value]
    names = (item.get("source") if isinstance(item, Mapping) else item for item in items)
    return ", ".join(str(name) for name in names)
