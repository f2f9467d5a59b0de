"""A Compose project with data, as its owner started it: PostgreSQL, Redis, web, worker and beat."""

import json
from dataclasses import dataclass
from typing import Any

from bench.load import Load
from tests.scenario.commands import docker, docker_lines
from tests.scenario.dsl import App
from tests.scenario.server import until

SERVICES = ("beat", "db", "redis", "web", "worker")
ROWS = (
    "CREATE TABLE rows AS SELECT n AS number, md5(n::text) AS text FROM generate_series(1, 5000) n"
)
CHECKSUM = "SELECT count(*), md5(string_agg(number || text, ',' ORDER BY number)) FROM rows"


@dataclass
class Foreign:
    """The project as its owner started it."""

    app: App
    port: int

    @property
    def project(self) -> str:
        return f"{self.app.name}x"

    async def compose(self, *words: str) -> str:
        where = ("--project-name", self.project, "--project-directory", str(self.app.folder))
        files = ("--file", str(self.app.folder / "compose.yaml"), "--env-file")
        return await docker(
            *("compose", *where, *files, str(self.app.folder / ".env.prod"), *words)
        )

    async def redis(self, *words: str) -> list[str]:
        return (await docker("exec", f"{self.project}-redis-1", "redis-cli", *words)).splitlines()

    async def psql(self, statement: str, *, code: int | None = 0) -> str:
        words = ("psql", "-h", "127.0.0.1", "-U", "shop", "-d", "shop", "-Atc", statement)
        return await docker("exec", f"{self.project}-db-1", *words, code=code)

    async def inspect(self, *services: str) -> dict[str, Any]:
        names = [f"{self.project}-{one}-1" for one in services or SERVICES]
        found = json.loads(await docker("inspect", *names))
        return {item["Name"].removeprefix(f"/{self.project}-"): item for item in found}

    async def things(self) -> list[str]:
        """Every network and volume of the engine."""
        networks = await docker_lines("network", "ls", "--format", "network {{.Name}}")
        volumes = await docker_lines("volume", "ls", "--format", "volume {{.Name}}")
        return sorted(line for line in (*networks, *volumes) if self.app.name in line)

    def load(self) -> Load:
        """As the owner's proxy asks: at the published port.

        A database that is slow on a busy machine is no lost request.
        """
        place = ("127.0.0.1", self.port, "any.test", "/rows?seconds=25")
        return Load(*place, clients=4, rate=60, seconds=60.0)

    async def fill(self) -> None:
        """Rows in the database and sessions in Redis."""
        await until(self._takes_rows)
        carts = [word for one in range(500) for word in (f"visitor{one}", f"cart of {one}")]
        await self.redis("HSET", "sessions", *carts)

    async def _takes_rows(self) -> bool:
        return "SELECT 5000" in await self.psql(ROWS, code=None)
