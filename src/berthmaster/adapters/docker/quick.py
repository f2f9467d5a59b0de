"""Lists containers over the engine's socket with the standard library alone.

`berth status` must answer in half a second, and importing aiodocker takes 0.2 s of it (measured).
Every other call goes through `AiodockerRuntime`.
"""

import asyncio
import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from berthmaster.adapters.docker import observed
from berthmaster.domain.container import Container
from berthmaster.domain.errors import RuntimeUnavailable

SECONDS: Final = 20.0


async def list_containers(url: str, labels: Mapping[str, str]) -> tuple[Container, ...]:
    """`Runtime.containers` without details; raises `RuntimeUnavailable`."""
    rows = await asyncio.to_thread(_ask, url.removeprefix("unix://"), labels)
    found = [observed.listed_container(row) for row in rows]
    return tuple(sorted(found, key=lambda item: item.name))


def _ask(path: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    wanted = [f"{key}={value}" if value else key for key, value in labels.items()]
    filters = quote(json.dumps({"label": wanted}))
    connection = _SocketConnection(path)
    try:
        connection.request("GET", f"/containers/json?all=1&filters={filters}")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as exc:
        raise _unavailable(path, getattr(exc, "strerror", None) or str(exc)) from exc
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise _unavailable(path, f"it answered {answer.status}")
    rows: list[dict[str, Any]] = json.loads(body)
    return rows


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _unavailable(path: str, why: str) -> RuntimeUnavailable:
    return RuntimeUnavailable(
        f"the Docker Engine does not answer at {path}: {why}",
        subject="docker",
        retryable=True,
        next_command="docker info",
    )
