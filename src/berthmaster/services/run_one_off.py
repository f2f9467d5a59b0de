"""`berth run`: a one-off container with the live release's image, settings and networks.

It carries no fixed address, name or published port of the service, so it clashes with nothing, and
the label of a job, so that it counts for no health and no release.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from berthmaster.domain.container import LABEL_JOB
from berthmaster.domain.errors import NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.domain.sealed import SealedValues
from berthmaster.planner.render import with_environment
from berthmaster.ports.outside import Outside
from berthmaster.services.follow_logs import find_release

KEY: Final = "one-off"
_DROPPED: Final = (
    "container_name",
    "ports",
    "healthcheck",
    "restart",
    "depends_on",
    "deploy",
    "scale",
)


async def run_one_off(
    outside: Outside,
    stack: StackId,
    service: str,
    command: Sequence[str],
    *,
    number: int | None = None,
) -> int:
    """Run it with our own standard streams and remove it; returns its exit code."""
    release = find_release(outside, stack, number)
    sealed = SealedValues.from_bytes(outside.vault.open(release.sealed))
    model = one_off_model(release, with_environment(release.model, sealed.environment), service)
    return await outside.compose.run(release.project, model, KEY, command)


def one_off_model(release: Release, model: Mapping[str, Any], service: str) -> dict[str, Any]:
    """The release's model with one service: the wanted one, fit to run beside itself.

    Raises `NotFound` for a service that the release does not run.
    """
    services = {item.name: item.compose_services for item in release.services}
    keys = [key for key in services.get(service, ()) if key in model["services"]]
    if not keys:
        known = sorted(
            name for name, keys in services.items() if any(key in model["services"] for key in keys)
        )
        raise NotFound(
            f"{release.stack} {release.label} has no app service {service!r};"
            f" it has {', '.join(known)}",
            next_command=f"berth exec {release.stack} {service} -- COMMAND",
        )
    original = model["services"][keys[0]]
    plain = {key: value for key, value in original.items() if key not in _DROPPED}
    labels = {**(original.get("labels") or {}), LABEL_JOB: "run"}
    networks = {name: _without_address(item) for name, item in _networks(original).items()}
    only = {**plain, "labels": labels, "networks": networks, "pull_policy": "never"}
    return {**model, "services": {KEY: only}}


def _networks(service: Mapping[str, Any]) -> Mapping[str, Any]:
    networks = service.get("networks") or {}
    return networks if isinstance(networks, Mapping) else dict.fromkeys(networks)


def _without_address(network: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Nor with its aliases: requests for the service must not reach a one-off."""
    if network is None:
        return None
    dropped = ("ipv4_address", "ipv6_address", "aliases")
    return {key: value for key, value in network.items() if key not in dropped} or None
