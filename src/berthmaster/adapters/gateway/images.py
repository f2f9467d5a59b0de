"""Which image router and edge run from: the one that was set, this repository's, or the public one.

Only chooses and pulls; what runs in the container is said elsewhere and is the same for all.
"""

from typing import Final

import aiodocker

from berthmaster.domain.errors import ImageNotFound

# Built by this repository's images/build, then from the public registry: in this order.
ROUTER_IMAGES: Final = ("berthmaster/haproxy:2.6", "haproxy:2.6")
EDGE_IMAGES: Final = ("berthmaster/caddy:2.6", "caddy:2.6")
ASK_IMAGES: Final = ("berthmaster/python:3.11", "python:3.11-alpine")  # any Python from 3.11
USUAL_IMAGES: Final = {"router": ROUTER_IMAGES, "edge": EDGE_IMAGES, "ask": ASK_IMAGES}


async def choose_image(
    client: aiodocker.Docker, wanted: str | None, usual: tuple[str, ...]
) -> tuple[str, str]:
    """Name and id of the image: the first that is here, else the last one is pulled.

    Raises `ImageNotFound` when it cannot be pulled either.
    """
    candidates = (wanted,) if wanted else usual
    for name in candidates:
        if found := await _id_or_none(client, name):
            return name, found
    return candidates[-1], await _pull(client, candidates)


async def _pull(client: aiodocker.Docker, candidates: tuple[str, ...]) -> str:
    name, why = candidates[-1], "the registry has it not"
    try:
        rows = await client.images.pull(name)
        why = next((str(row["error"]) for row in rows if "error" in row), why)
    except aiodocker.DockerError as error:
        why = error.message
    if found := await _id_or_none(client, name):
        return found
    raise ImageNotFound(
        f"the gateway needs {' or '.join(candidates)}: this engine has none of them,"
        f" and {name} could not be pulled ({why})",
        subject=name,
        next_command="images/build haproxy caddy python",
    )


async def _id_or_none(client: aiodocker.Docker, name: str) -> str | None:
    try:
        return str((await client.images.inspect(name))["Id"])
    except aiodocker.DockerError as error:
        if error.status != 404:
            raise
        return None
