"""Reads the engine's JSON into domain values.

Only fields that every Engine from 20.10 to 29 has: addresses come from `NetworkSettings.Networks`,
never from the legacy fields that API 1.52 dropped. No calls are made here.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from berthmaster.domain.container import (
    Container,
    Health,
    Image,
    Network,
    PublishedPort,
    Volume,
)

_EXITED: Final = re.compile(r"Exited \((\d+)\)")
_YEAR_ZERO: Final = "0001-01-01"  # how Go prints a time that never was
_ENDED: Final = frozenset({"exited", "dead", "restarting"})  # the code of the last life


def listed_container(data: Mapping[str, Any]) -> Container:
    """Read a row of the list call: health and exit code come from its status text."""
    status = str(data.get("Status") or "")
    exited = _EXITED.search(status)
    return Container(
        name=str(data["Names"][0]).lstrip("/") if data.get("Names") else str(data["Id"])[:12],
        id=data["Id"],
        image_id=data["ImageID"],
        state=data["State"],
        health=_health_in(status),
        restart_count=0,
        exit_code=int(exited[1]) if exited else None,
        is_oom_killed=False,
        started_at=None,
        finished_at=None,
        labels=data.get("Labels") or {},
        addresses=_addresses(data),
    )


def inspected_container(data: Mapping[str, Any], now: datetime) -> Container:
    """Read the answer of the inspect call."""
    state = data["State"]
    health = state.get("Health") or {}
    started_at = _instant(state.get("StartedAt"))
    is_running = state["Status"] == "running"
    return Container(
        name=str(data["Name"]).lstrip("/"),
        id=data["Id"],
        image_id=data["Image"],
        state=state["Status"],
        health=Health(health.get("Status") or "none"),
        restart_count=int(data.get("RestartCount") or 0),
        exit_code=int(state["ExitCode"]) if state["Status"] in _ENDED else None,
        is_oom_killed=bool(state.get("OOMKilled")),
        started_at=started_at,
        finished_at=_instant(state.get("FinishedAt")),
        labels=data["Config"].get("Labels") or {},
        addresses=_addresses(data),
        health_output=_last_output(health),
        error=str(state.get("Error") or ""),
        started_seconds=(now - started_at).total_seconds() if is_running and started_at else None,
        healthcheck=_healthcheck(data["Config"].get("Healthcheck") or {}),
        image=str(data["Config"].get("Image") or ""),
        published=_published((data.get("HostConfig") or {}).get("PortBindings") or {}),
        restart=_restart((data.get("HostConfig") or {}).get("RestartPolicy") or {}),
        shares_host_network=(data.get("HostConfig") or {}).get("NetworkMode") == "host",
    )


def _published(bindings: Mapping[str, Any]) -> tuple[PublishedPort, ...]:
    """As they were asked for, so that a stopped container's are known too."""
    found = []
    for inside, places in bindings.items():
        number, _, protocol = inside.partition("/")
        found += [
            PublishedPort(int(place["HostPort"]), int(number), protocol, place.get("HostIp") or "")
            for place in places or ()
            if str(place.get("HostPort") or "").isdigit()
        ]
    return tuple(sorted(found, key=lambda item: (item.port, item.protocol, item.address)))


def _restart(policy: Mapping[str, Any]) -> str:
    name, count = str(policy.get("Name") or "no"), int(policy.get("MaximumRetryCount") or 0)
    return f"{name}:{count}" if count else name


def inspected_image(data: Mapping[str, Any]) -> Image:
    """Read the answer of the image's inspect call."""
    config = data.get("Config") or {}
    return Image(
        id=data["Id"],
        repo_digests=tuple(data.get("RepoDigests") or ()),
        user=str(config.get("User") or ""),
        architecture=str(data.get("Architecture") or ""),
        size_bytes=int(data.get("Size") or 0),
        exposed_ports=_tcp_ports(config.get("ExposedPorts") or {}),
        labels=config.get("Labels") or {},
        environment=dict(item.split("=", 1) for item in config.get("Env") or () if "=" in item),
        volumes=tuple(sorted(config.get("Volumes") or ())),
        healthcheck=_test_of(config.get("Healthcheck") or {}),
        tags=_tags(data),
    )


def listed_image(data: Mapping[str, Any]) -> Image:
    """Read a row of the images' list call, which knows little more than its names."""
    return Image(
        id=data["Id"],
        repo_digests=tuple(
            digest for digest in data.get("RepoDigests") or () if not digest.startswith("<none>")
        ),
        user="",
        architecture="",
        size_bytes=int(data.get("Size") or 0),
        labels=data.get("Labels") or {},
        tags=_tags(data),
    )


def _tags(data: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(item for item in data.get("RepoTags") or () if not item.startswith("<none>"))


def listed_network(data: Mapping[str, Any]) -> Network:
    """Read a row of the networks' list call, which does not say who is attached."""
    configs = (data.get("IPAM") or {}).get("Config") or ()
    return Network(
        name=data["Name"],
        id=data["Id"],
        subnets=tuple(item["Subnet"] for item in configs if item.get("Subnet")),
        labels=data.get("Labels") or {},
        gateways=tuple(item["Gateway"] for item in configs if item.get("Gateway")),
    )


def listed_volume(data: Mapping[str, Any]) -> Volume:
    """Read a row of the volumes' list call."""
    return Volume(name=data["Name"], labels=data.get("Labels") or {})


def volume_sizes(data: Mapping[str, Any]) -> dict[str, int]:
    """Read what `system/df` says of volumes; -1 is the engine's word for "nobody knows"."""
    rows = data.get("Volumes") or (data.get("VolumeUsage") or {}).get("Items") or ()
    sizes = {row["Name"]: int((row.get("UsageData") or {}).get("Size", -1)) for row in rows}
    return {name: size for name, size in sizes.items() if size >= 0}


def memory_held(data: Mapping[str, Any]) -> int | None:
    """Read a row of statistics; a container that does not run holds nothing."""
    held = (data.get("memory_stats") or {}).get("usage")
    return int(held) if held else None


def _health_in(status: str) -> Health:
    if "(healthy)" in status:
        return Health.HEALTHY
    if "(unhealthy)" in status:
        return Health.UNHEALTHY
    return Health.STARTING if "(health: starting)" in status else Health.NONE


def _addresses(data: Mapping[str, Any]) -> dict[str, str]:
    """A stopped container has no address, but the fixed one it was given stays its own."""
    networks = (data.get("NetworkSettings") or {}).get("Networks") or {}
    found = {name: _address(endpoint or {}) for name, endpoint in networks.items()}
    return {name: address for name, address in found.items() if address}


def _address(endpoint: Mapping[str, Any]) -> str:
    fixed = (endpoint.get("IPAMConfig") or {}).get("IPv4Address")
    return str(endpoint.get("IPAddress") or fixed or "")


def _test_of(check: Mapping[str, Any]) -> tuple[str, ...]:
    """As it is written: `CMD` or `CMD-SHELL` and its words; empty for none."""
    words = tuple(str(word) for word in check.get("Test") or ())
    return () if words[:1] == ("NONE",) else words


def _healthcheck(check: Mapping[str, Any]) -> tuple[str, ...]:
    """The check as the engine would run it inside the container; empty for none."""
    kind, *rest = check.get("Test") or ["NONE"]
    if kind == "CMD-SHELL" and rest:
        return ("/bin/sh", "-c", str(rest[0]))
    return tuple(str(part) for part in rest) if kind == "CMD" else ()


def _last_output(health: Mapping[str, Any]) -> str:
    log = health.get("Log") or ()
    return str(log[-1].get("Output") or "").strip() if log else ""


def _instant(text: str | None) -> datetime | None:
    if not text or text.startswith(_YEAR_ZERO):
        return None
    return datetime.fromisoformat(text).astimezone(UTC)


def _tcp_ports(exposed: Mapping[str, Any]) -> tuple[int, ...]:
    pairs = (port.partition("/") for port in exposed)
    return tuple(
        sorted(
            int(number)
            for number, _, protocol in pairs
            if protocol in ("tcp", "") and number.isdigit()
        )
    )
