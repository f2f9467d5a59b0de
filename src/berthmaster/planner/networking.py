"""Networks and addresses of a release: who hears which name, and who has a fixed address.

A plain service name lives only in the release's own network, so it resolves only inside that
release; state services carry theirs in the stack's network (D1). Fixed addresses come from the
lower half of the subnet, which Docker does not give out (D2).
"""

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from berthmaster.domain.errors import InvalidSpec, NoAddressLeft
from berthmaster.domain.release import ReleaseNetwork
from berthmaster.domain.spec import Role
from berthmaster.planner.rendering import (
    RenderInputs,
    running,
    service_container,
    service_key,
)

RELEASE: Final = "release"
STACK: Final = "stack"
_OTHERS: Final = ("network_mode", "ipc", "pid")


def networks_of_model(inputs: RenderInputs, *, is_state: bool) -> dict[str, Any]:
    """The networks that a model's services join; both exist before Compose runs."""
    stack = {STACK: {"name": inputs.stack_network.name, "external": True}}
    if is_state:
        return stack
    return {RELEASE: {"name": inputs.network.name, "external": True}, **stack}


def fixed_addresses(inputs: RenderInputs) -> dict[tuple[str, int], str]:
    """An address for each replica of each routed service, in sorted order."""
    wanted = [
        (name, replica)
        for name in running(inputs)
        if inputs.role(name) is Role.ROUTED and not _own_mode(inputs, name)
        for replica in range(1, inputs.replicas(name) + 1)
    ]
    free = _lower_half(inputs.network)
    if len(wanted) > len(free):
        raise NoAddressLeft(
            f"{inputs.stack}: {len(wanted)} routed containers, but {inputs.network.subnet} has"
            f" {len(free)} fixed addresses",
            subject=inputs.network.name,
        )
    return dict(zip(wanted, free, strict=False))


def _lower_half(network: ReleaseNetwork) -> list[str]:
    dynamic = ipaddress.ip_network(network.dynamic_range)
    return [
        str(address)
        for address in ipaddress.ip_network(network.subnet).hosts()
        if address not in dynamic and str(address) != network.gateway
    ]


def join_state(inputs: RenderInputs, name: str, service: dict[str, Any]) -> None:
    """Let a state service join the stack's network under its own names."""
    if _keep_mode(inputs, name, 1, service):
        return
    service["networks"] = {STACK: {"aliases": _names(inputs, name)}}


def join_release(
    inputs: RenderInputs, name: str, replica: int, service: dict[str, Any], address: str | None
) -> None:
    """Let a replica join its release under its own names, and the stack without them."""
    if _keep_mode(inputs, name, replica, service):
        return
    own: dict[str, Any] = {"aliases": _names(inputs, name)}
    if address is not None:
        own["ipv4_address"] = address
    service["networks"] = {RELEASE: own, STACK: {}}


def join_as_job(inputs: RenderInputs, name: str, service: dict[str, Any]) -> None:
    """Let a job call everybody and be called by nobody."""
    if not _keep_mode(inputs, name, 1, service):
        service["networks"] = {RELEASE: {}, STACK: {}}


def _names(inputs: RenderInputs, name: str) -> list[str]:
    """The service's name and the aliases its Compose file gives it."""
    aliases = {name}
    for joined in _joined(inputs.service(name)).values():
        aliases |= {str(alias) for alias in (joined or {}).get("aliases") or ()}
    return sorted(aliases)


def _joined(service: Mapping[str, Any]) -> Mapping[str, Any]:
    networks = service.get("networks") or {}
    return networks if isinstance(networks, Mapping) else dict.fromkeys(networks)


def _own_mode(inputs: RenderInputs, name: str) -> str:
    mode = str(inputs.service(name).get("network_mode") or "")
    return "" if mode in ("bridge", "default") else mode


def _keep_mode(inputs: RenderInputs, name: str, replica: int, service: dict[str, Any]) -> bool:
    """Point `service:x` at the container of x that belongs here; True when no network is joined."""
    for key in _OTHERS:
        mode = service.pop(key, None)
        if mode and mode not in ("bridge", "default"):
            service[key] = _mapped(inputs, str(mode), replica)
    return "network_mode" in service


def _mapped(inputs: RenderInputs, mode: str, replica: int) -> str:
    kind, _, other = mode.partition(":")
    if kind != "service":
        return mode
    role = inputs.role(other)
    if role is Role.STATE:
        return f"container:{service_container(inputs, other, 1)}"
    if not role.is_app_service:
        raise InvalidSpec(f"`{mode}`: {other} is {role}, so nothing can share its namespace")
    return f"service:{service_key(other, inputs.number, min(replica, inputs.replicas(other)))}"


def describe_dropped(inputs: RenderInputs) -> list[str]:
    """What the Compose files say of networks and a release does not keep."""
    lines, project = [], str(inputs.model.get("name") or "")
    declared = inputs.model.get("networks") or {}
    users = {name: _joined(inputs.service(name)) for name in running(inputs)}
    for key in sorted({key for joined in users.values() for key in joined}):
        network = declared.get(key) or {}
        written = str(network.get("name") or "")
        if network.get("external"):
            lines.append(f"network {key}: external {written or key}")
        elif written not in ("", f"{project}_{key}"):
            lines.append(f"network {key}: name {written}")
        elif key != "default":
            lines.append(f"network {key}: all services of a stack share its networks")
    for name, joined in users.items():
        for options in joined.values():
            for fixed in ("ipv4_address", "ipv6_address", "mac_address"):
                if (options or {}).get(fixed):
                    lines.append(f"{name}: {fixed} {options[fixed]}")
    return lines
