"""Somebody's own proxy as it runs: which container it is, its ports, and the names it answers.

Looks, and asks the proxy for its configuration; changes nothing.
"""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from berthmaster.domain.container import (
    PROJECT_LABEL,
    SERVICE_LABEL,
    Container,
    PublishedPort,
    is_ours,
)
from berthmaster.domain.errors import NotAllowed, NotFound, OutsideError
from berthmaster.planner.proxies import CONFIG_COMMANDS, ProxyKind, kind_of, names_of
from berthmaster.ports.outside import Outside

USUAL: Final = (80, 443)
CONFIG_SECONDS: Final = 10.0
APACHE_FILE: Final = "/usr/local/apache2/conf/httpd.conf"


@dataclass(frozen=True, slots=True)
class FoundProxy:
    """What was found of it."""

    container: Container
    kind: ProxyKind
    config: str  # empty when it could not be read
    names: tuple[str, ...]

    @property
    def ports(self) -> tuple[PublishedPort, ...]:
        """Those that everybody may dial, each once."""
        by_place = {
            (item.port, item.protocol): item
            for item in self.container.published
            if item.is_for_everybody
        }
        return tuple(by_place.values())


async def find_proxy(outside: Outside, project: str, name: str | None) -> FoundProxy:
    """The container of this name or service, else the one that publishes 80 or 443.

    Raises `NotFound` or `NotAllowed` with what to do instead.
    """
    rows = [item for item in await outside.runtime.containers({}, detailed=True) if _counts(item)]
    found = _named(rows, project, name) if name else _publishing(rows)
    if not found:
        raise _nobody(outside, rows, name)
    if len(found) > 1:
        names = ", ".join(item.name for item in found)
        raise NotAllowed(f"which proxy? {names}", next_command=f"name one: --proxy {found[0].name}")
    return await read_proxy(outside, found[0], rows)


async def read_proxy(outside: Outside, found: Container, rows: Sequence[Container]) -> FoundProxy:
    """With its configuration, where its kind is known and it says it."""
    kind = kind_of(found.image)
    config = await _config(outside, found.id, kind)
    if kind is ProxyKind.TRAEFIK:
        labels = (pair for item in rows for pair in sorted(item.labels.items()))
        config = "".join(f"{key}={value}\n" for key, value in labels if key.startswith("traefik."))
    names = names_of(kind, config, [item.labels for item in rows])
    return FoundProxy(found, kind, config, names)


async def _config(outside: Outside, container: str, kind: ProxyKind) -> str:
    for command in CONFIG_COMMANDS.get(kind, ()):
        try:
            done = await outside.runtime.execute(container, command, timeout_seconds=CONFIG_SECONDS)
        except OutsideError:
            continue
        if done.exit_code == 0:
            return done.output + await _named_files(outside, container, kind, done.output)
    return ""


async def _named_files(outside: Outside, container: str, kind: ProxyKind, text: str) -> str:
    """Apache names the files of its hosts and does not print them; nginx prints them itself."""
    found = ""
    if kind is ProxyKind.APACHE:
        for path in dict.fromkeys([*re.findall(r"\((/[^():]+):\d+\)", text), APACHE_FILE]):
            with contextlib.suppress(OutsideError):
                done = await outside.runtime.execute(container, ("cat", path))
                found += (
                    f"# configuration file {path}:\n{done.output}" if not done.exit_code else ""
                )
    return found


def _counts(item: Container) -> bool:
    return item.is_running and not is_ours(item.labels)


def _named(rows: Sequence[Container], project: str, name: str) -> list[Container]:
    exact = [item for item in rows if item.name == name]
    return exact or [
        item
        for item in rows
        if item.labels.get(PROJECT_LABEL) == project and item.labels.get(SERVICE_LABEL) == name
    ]


def _publishing(rows: Sequence[Container]) -> list[Container]:
    return [
        item
        for item in rows
        if any(one.port in USUAL and one.protocol == "tcp" for one in item.published)
    ]


def _nobody(outside: Outside, rows: Sequence[Container], name: str | None) -> NotFound | NotAllowed:
    if name:
        return NotFound(f"no container {name} runs here", next_command="docker ps")
    for port in USUAL:
        owner = outside.host.port_owner(port)
        if not owner:
            continue
        on_host = next((item for item in rows if owner.endswith(item.id)), None)
        return _of_this_machine(port, on_host.name if on_host else owner, is_unit=not on_host)
    return NotFound(
        "nobody has the ports 80 and 443; a proxy at other ports is named",
        next_command="berth adopt PROJECT ENV --replace-proxy --proxy CONTAINER",
    )


def _of_this_machine(port: int, owner: str, *, is_unit: bool) -> NotAllowed:
    """It is no container with ports of its own: a person does it, and is told how."""
    program = owner.partition(" ")[0]
    stop = f"sudo systemctl disable --now {program}" if is_unit else f"docker stop {program}"
    back = f"sudo systemctl enable --now {program}" if is_unit else f"docker start {program}"
    where = "is no container" if is_unit else "uses the host's own network"
    return NotAllowed(
        f"{owner} has port {port} and {where}: Berthmaster does not stop it. By hand, with a gap"
        " of about a second:\n"
        "  set the ports of `entrypoints` to 80 and 443 in /etc/berthmaster/settings.toml\n"
        f"  {stop} && sudo berth gateway up\n"
        f"  back: the old ports in settings.toml, sudo berth gateway up, {back}",
    )
