"""Whether Traefik goes on finding what is adopted once it is in a network of ours, too.

Traefik takes one of a container's networks by chance, at every container that starts anywhere,
unless it is told which. An adopted container joins ours, where Traefik is not: visitors would wait
for answers that cannot come. Looks only.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from berthmaster.domain.container import Container, is_ours
from berthmaster.domain.errors import NotAllowed, OutsideError
from berthmaster.planner.proxies import ProxyKind, kind_of
from berthmaster.ports.outside import Outside

CHOICE: Final = "traefik.docker.network"
_OPTION: Final = ("providers.docker.network", "traefik_providers_docker_network")
_FIRST_PROCESS: Final = ("cat", "/proc/1/cmdline", "/proc/1/environ")


async def refuse_wandering(outside: Outside, project: str, members: Sequence[Container]) -> None:
    """Raise `NotAllowed` for those that Traefik would look for in the wrong network."""
    found = [item for item in members if _is_open(item)]
    if not found:
        return
    rows = await outside.runtime.containers({}, detailed=True)
    for proxy in _beside(rows, found):
        if not await _has_chosen(outside, proxy):
            names = ", ".join(item.name for item in found)
            network = sorted(found[0].addresses)[0]
            raise NotAllowed(
                f"{project}: {proxy.name} is Traefik and looks for {names} in a network that it"
                " picks by chance, as soon as there are two. Tell it which, with the label"
                f" {CHOICE}={network} of the service, or --providers.docker.network={network}",
                next_command="docker compose up -d",
            )


def _is_open(item: Container) -> bool:
    labels = {key.lower() for key in item.labels}
    return any(key.startswith("traefik.") for key in labels) and CHOICE not in labels


def _beside(rows: Sequence[Container], members: Sequence[Container]) -> Iterator[Container]:
    """Those of the machine's own network reach every container."""
    networks = {name for item in members for name in item.addresses}
    for item in rows:
        is_traefik = kind_of(item.image) is ProxyKind.TRAEFIK and not is_ours(item.labels)
        if item.is_running and is_traefik and networks & item.addresses.keys():
            yield item


async def _has_chosen(outside: Outside, proxy: Container) -> bool:
    try:
        done = await outside.runtime.execute(proxy.id, _FIRST_PROCESS)
    except OutsideError:
        return False
    return any(option in done.output.lower() for option in _OPTION)
