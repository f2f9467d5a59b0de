"""Names, addresses and images for contract tests on a real engine, and their removal.

Each test takes its own names and a subnet of 2,048 at random; everything carries the label
`berthmaster.test`.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_network

from berthmaster.adapters.docker import AiodockerRuntime
from berthmaster.domain.release import ReleaseNetwork

PYTHON = "berthmaster/python:3.11"
POSTGRES = "berthmaster/postgres:15"
MARIADB = "berthmaster/mariadb:10.11"


@dataclass(slots=True)
class Names:
    """What one test may use."""

    prefix: str = field(default_factory=lambda: f"ct{os.getpid()}x{random.randrange(10**6)}")

    @property
    def labels(self) -> dict[str, str]:
        return {"berthmaster.test": self.prefix}

    def network(self) -> ReleaseNetwork:
        third = random.randrange(256)
        block = ip_network(f"10.219.{third}.{random.randrange(8) * 32}/27")
        return ReleaseNetwork(
            f"{self.prefix}-net", str(block), str(block[1]), str(list(block.subnets(1))[1])
        )


@asynccontextmanager
async def real_runtime(names: Names) -> AsyncIterator[AiodockerRuntime]:
    """A runtime that removes, at the end, everything that carries the names' label."""
    runtime = AiodockerRuntime()
    try:
        yield runtime
    finally:
        await _tidy(runtime, names)
        await runtime.close()


async def _tidy(runtime: AiodockerRuntime, names: Names) -> None:
    found = await runtime.containers(names.labels)
    await asyncio.gather(*(runtime.remove(item.name) for item in found))
    for network in await runtime.networks(names.labels):
        with suppress(Exception):
            await runtime.remove_network(network.name)
    for volume in await runtime.volumes(names.labels):
        await runtime.remove_volume(volume.name)
