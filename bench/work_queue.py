"""Queues tasks at a bounded rate as a user does: each names an endpoint, which is checked at once.

An answer of 201 means that the task is in the queue. A request that failed is made again; when the
application then says that it has the endpoint, nobody knows whether its task was queued (`unsure`).
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.work_stack import Stack, url_of

ANSWER_SECONDS = 30.0
PAUSE_SECONDS = 0.5  # before a request that failed is made again
TRIES = 240
IN_FLIGHT = 40


@dataclass
class Queued:
    """What was queued, and how hard it was."""

    tasks: dict[int, float] = field(default_factory=dict)  # when the request for it was sent
    unsure: set[int] = field(default_factory=set)
    failures: list[tuple[float, str]] = field(default_factory=list)  # requests: when, and how


class Queue:
    """Posts endpoints to a stack's API."""

    def __init__(self, stack: Stack, token: str, target: str) -> None:
        self._stack = stack
        self._token = token
        self._target = target  # its address
        self._turn = asyncio.Semaphore(IN_FLIGHT)
        self.queued = Queued()

    async def fill(self, count: int, rate: float, seconds_left: Callable[[], float]) -> None:
        """Queue `count` tasks, spread over the time that is left, at most `rate` a second."""
        tasks = list[asyncio.Task[None]]()
        for number in range(1, count + 1):
            await asyncio.sleep(max(1 / rate, seconds_left() / (count - number + 1)))
            await self._turn.acquire()
            tasks.append(asyncio.create_task(self._add(number)))
        await asyncio.gather(*tasks)

    async def _add(self, task: int) -> None:
        try:
            for attempt in range(TRIES):
                at = time.time()
                status, text = await self._post(task)
                if status == "201":
                    self.queued.tasks[task] = at
                    return
                if status == "400" and attempt and "already exists" in text:
                    self.queued.unsure.add(task)
                    return
                if status == "400":
                    break
                self.queued.failures.append((at, status))
                await asyncio.sleep(PAUSE_SECONDS)
            raise RuntimeError(f"task {task} could not be queued: {status} {text}")
        finally:
            self._turn.release()

    async def _post(self, task: int) -> tuple[str, str]:
        """Status and body, or what went wrong."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                head, _, text = (await self._answer(task)).partition("\r\n\r\n")
                return head.split(" ")[1], text
        except (OSError, EOFError, TimeoutError, IndexError) as error:
            return type(error).__name__, ""

    async def _answer(self, task: int) -> str:
        body = json.dumps(
            {"name": f"task {task}", "url": url_of(self._target, task), "interval_minutes": 1440}
        )
        head = (
            f"POST /api/endpoints/ HTTP/1.1\r\nHost: {self._stack.host}\r\nConnection: close\r\n"
            f"Authorization: Token {self._token}\r\nX-Forwarded-Proto: https\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        reader, writer = await self._stack.connect()
        try:
            writer.write(f"{head}{body}".encode())
            return (await reader.read()).decode()
        finally:
            writer.close()
