"""`berth logs`: lines of several containers, as they come, each with its service's name."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from berthmaster.domain.errors import NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.domain.spec import Role
from berthmaster.ports.outside import Outside

_ERROR: Final = re.compile(
    r"\b(error|exception|traceback|critical|fatal|panic|failed)\b|\" 5\d\d |status[=: ]+5\d\d", re.I
)
QUEUE_LINES: Final = 1000  # read ahead of the terminal before a container has to wait


@dataclass(frozen=True, slots=True)
class LogRequest:
    """Which lines are wanted."""

    services: tuple[str, ...] = ()  # none: all
    release: int | None = None  # none: the live one
    since: str | None = None
    lines: int = 100
    is_followed: bool = False
    only_errors: bool = False


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line and where it came from."""

    service: str
    container: str
    text: str


async def follow_logs(
    outside: Outside, stack: StackId, request: LogRequest
) -> AsyncIterator[LogLine]:
    """Yield lines as containers print them; raises `NotFound` for an unknown service or release."""
    names = find_containers(find_release(outside, stack, request.release), request.services)
    queue: asyncio.Queue[LogLine | None] = asyncio.Queue(QUEUE_LINES)
    tasks = [
        asyncio.create_task(_read(outside, service, name, request, queue))
        for service, name in names
    ]
    left = len(tasks)
    try:
        while left:
            line = await queue.get()
            if line is None:
                left -= 1
            elif not request.only_errors or _ERROR.search(line.text):
                yield line
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def find_containers(release: Release, services: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pairs of service and container name; raises `NotFound` naming the known services."""
    running = [item for item in release.services if item.role not in (Role.REPLACED, Role.JOB)]
    known = {item.name for item in running}
    for name in services:
        if name not in known:
            raise NotFound(
                f"{release.stack} has no service {name!r}; it has {', '.join(sorted(known))}"
            )
    wanted = set(services) or known
    return [
        (item.name, name) for item in running if item.name in wanted for name in item.containers
    ]


def find_release(outside: Outside, stack: StackId, number: int | None = None) -> Release:
    """The live release of a stack, or the one with this number; raises `NotFound`."""
    record = outside.store.stack(stack)
    if record is None:
        raise NotFound(f"there is no stack {stack}", next_command="berth status")
    wanted = number if number is not None else record.live
    if wanted is None:
        raise NotFound(f"{stack} runs no release", next_command=f"berth deploy {stack}")
    release = outside.store.release(stack, wanted)
    if release is None:
        raise NotFound(f"{stack} has no release r{wanted}", next_command=f"berth releases {stack}")
    return release


async def _read(
    outside: Outside,
    service: str,
    container: str,
    request: LogRequest,
    queue: asyncio.Queue[LogLine | None],
) -> None:
    try:
        if await outside.runtime.container(container) is None:
            return
        lines = outside.runtime.follow_logs(
            container, lines=request.lines, since=request.since, follow=request.is_followed
        )
        async for text in lines:
            await queue.put(LogLine(service, container, text))
    finally:
        await queue.put(None)
