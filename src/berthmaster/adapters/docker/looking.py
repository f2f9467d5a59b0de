"""Looks into an image or a volume through a container that is made, never started, and removed.

The engine reads files of a container that does not run, so nothing of the image is executed and it
needs no shell. A container that a killed run left behind goes with the next look.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from berthmaster.domain.container import LABEL

if TYPE_CHECKING:
    from aiodocker import Docker
    from aiodocker.containers import DockerContainer

LABEL_LOOK: Final = f"{LABEL}.look"  # its value is when it was made, in seconds
_OLD_SECONDS: Final = 120
_USUAL_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@asynccontextmanager
async def opened(
    docker: "Docker", image: str, volumes: Mapping[str, str] | None = None
) -> AsyncIterator["DockerContainer"]:
    """A container of the image to read from, with volumes by name at their paths."""
    binds = [f"{name}:{path}:ro,nocopy" for name, path in (volumes or {}).items()]
    config: dict[str, Any] = {
        "Image": image,
        "Cmd": ["-"],  # never run, but images without a command want one
        "Labels": {LABEL_LOOK: str(int(time.time()))},
        "HostConfig": {"NetworkMode": "none", "Binds": binds},
        "NetworkDisabled": True,
    }
    container = await docker.containers.create(config)
    try:
        yield container
    finally:
        with _harmless():
            await container.delete(force=True, v=True)
        await _remove_old(docker)


async def present(
    container: "DockerContainer", programs: Sequence[str], path: str
) -> frozenset[str]:
    """Which of these programs are there: absolute ones at their place, others on the path."""
    folders = [item for item in (path or _USUAL_PATH).split(":") if item]
    found = set()
    for name in programs:
        places = [name] if "/" in name else [f"{folder}/{name}" for folder in folders]
        for place in places:
            if await _is_there(container, place):
                found.add(name)
                break
    return frozenset(found)


async def read_text(container: "DockerContainer", path: str) -> str | None:
    """A small file as text; None when it is not there."""
    from aiodocker.exceptions import DockerError

    try:
        archive = await container.get_archive(path)
    except DockerError as exc:
        if exc.status == HTTPStatus.NOT_FOUND:
            return None
        raise
    with archive:
        for member in archive.getmembers():
            if member.isfile() and (file := archive.extractfile(member)) is not None:
                return file.read().decode(errors="replace")
    return None


async def _is_there(container: "DockerContainer", path: str) -> bool:
    """By a HEAD of our own: aiodocker stumbles over errors without a body, which HEAD has."""
    docker = container.docker
    url = docker._canonicalize_url(f"containers/{container.id}/archive", versioned_api=True)
    async with docker.session.head(url, params={"path": path}) as answer:
        if answer.status == HTTPStatus.NOT_FOUND:
            return False
        answer.raise_for_status()
        return True


async def _remove_old(docker: "Docker") -> None:
    with _harmless():
        left = await docker.containers.list(all="true", filters={"label": [LABEL_LOOK]})
        for item in left:
            made = str((item._container.get("Labels") or {}).get(LABEL_LOOK) or "")
            if made.isdigit() and time.time() - int(made) > _OLD_SECONDS:
                await item.delete(force=True, v=True)


@contextlib.contextmanager
def _harmless() -> Any:
    """A look that could not be cleaned up is cleaned up by the next one."""
    from aiodocker.exceptions import DockerError

    with contextlib.suppress(DockerError):
        yield
