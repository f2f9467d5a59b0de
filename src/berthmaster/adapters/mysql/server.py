"""The MariaDB or MySQL inside a container: its own tools over its own socket, as root.

The password comes from the container's own environment and goes to the tools in theirs: it is in no
argument, no log and no file.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from berthmaster.adapters.dumps import errors
from berthmaster.adapters.mysql import errors as own
from berthmaster.domain.container import ExecResult
from berthmaster.ports.runtime import Runtime

DUMP_SECONDS: Final = 3600.0
QUERY_SECONDS: Final = 30.0
START_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.2
_CANNOT_RUN: Final = {126, 127}  # no such program in the image
_DENIED: Final = "Access denied for user 'root'"
_OWN: Final = ("information_schema", "performance_schema", "mysql", "sys")
_PASSWORDS: Final = ("MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD")
_TEXT: Final = ("--default-character-set=utf8mb4", "--max-allowed-packet=1G")
_DUMP: Final = ("--quick", "--routines", "--events", "--triggers", "--hex-blob")
_LOCKED: Final = (  # tables without transactions: one picture of them needs locks
    "SELECT count(*) FROM information_schema.tables JOIN information_schema.engines USING (engine)"
    " WHERE table_schema = {schema} AND table_type = 'BASE TABLE'"
    " AND coalesce(transactions, 'NO') <> 'YES'"
)


@dataclass(frozen=True, slots=True)
class Server:
    """The server inside a container, and how its tools are called."""

    runtime: Runtime
    container: str
    family: str  # `mariadb` or `mysql`: how its tools' names begin
    is_mariadb: bool
    login: Mapping[str, str] = field(repr=False)  # environment of the tools

    async def databases(self) -> tuple[str, ...]:
        """Every database that is not the server's own."""
        own_names = ", ".join(map(literal, _OWN))
        query = "SELECT schema_name FROM information_schema.schemata"
        return await self.ask(f"{query} WHERE schema_name NOT IN ({own_names}) ORDER BY 1")

    async def ask(self, *statements: str, database: str = "") -> tuple[str, ...]:
        """Run statements; returns the rows as lines, columns parted by tabs."""
        answer = await self._run(
            self.family,
            *("--batch", "--raw", "--skip-column-names"),
            *([f"--database={database}"] if database else []),
            f"--execute={'; '.join(statements)}",
        )
        return tuple(answer.output.split("\n")[:-1])

    async def load(self, script: Path, database: str = "") -> None:
        """Run a file of SQL; the first error ends it."""
        where = [f"--database={database}"] if database else []
        await self._run(self.family, "--batch", *where, source=script, seconds=DUMP_SECONDS)

    async def run(self, *statements: str) -> None:
        """Run statements out of a private file: any number of them, and hashes of passwords."""
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
            script.write("".join(f"{statement};\n" for statement in statements))
            script.flush()
            await self.load(Path(script.name))

    async def dump(self, database: str, into: Path, *, without: Sequence[str] = ()) -> None:
        """One picture of a database as SQL, with its routines, events and triggers."""
        is_locked = await self.ask(_LOCKED.format(schema=literal(database))) != ("0",)
        await self._run(
            f"{self.family}-dump" if self.family == "mariadb" else "mysqldump",
            *_DUMP,
            "--lock-tables" if is_locked else "--single-transaction",
            *(() if self.is_mariadb else ("--set-gtid-purged=OFF", "--no-tablespaces")),
            *(f"--ignore-table={database}.{name}" for name in without),
            *("--", database),
            into=into,
            seconds=DUMP_SECONDS,
        )

    async def _run(
        self,
        tool: str,
        *arguments: str,
        into: Path | None = None,
        source: Path | None = None,
        seconds: float = QUERY_SECONDS,
    ) -> ExecResult:
        answer = await self.runtime.execute(
            self.container,
            [tool, "--user=root", "--protocol=socket", *_TEXT, *arguments],
            environment=self.login,
            into=into,
            source=source,
            timeout_seconds=seconds,
        )
        if answer.exit_code == 0:
            return answer
        said = answer.errors or answer.output
        if _DENIED in said:
            raise own.no_entry(self.container, said)
        raise errors.failed(self.container, tool, said)


async def open_server(runtime: Runtime, container: str) -> Server:
    """The server in a container; raises `OutsideError` when it does not run."""
    found = await runtime.container(container)
    if found is None or not found.is_running:
        raise errors.not_running(container)
    for family in ("mariadb", "mysql"):
        answer = await runtime.execute(container, [family, "--version"])
        if answer.exit_code == 0:
            login = await _login(runtime, container)
            return Server(runtime, container, family, "MariaDB" in answer.output, login)
        if answer.exit_code not in _CANNOT_RUN:
            raise errors.failed(container, family, answer.errors or answer.output)
    raise own.no_tools(container)


async def await_answer(server: Server, seconds: float = START_SECONDS) -> None:
    """Wait for a server that still starts; after so many seconds whoever asks it is told why.

    Over TCP, because an image that makes its first database does that with a server that listens on
    the socket only. To be refused is an answer.
    """
    tool = "mariadb-admin" if server.family == "mariadb" else "mysqladmin"
    ping = [tool, "--host=127.0.0.1", "--protocol=tcp", "--connect-timeout=2", "ping"]
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        answer = await server.runtime.execute(server.container, ping)
        if answer.exit_code == 0 or answer.exit_code in _CANNOT_RUN:
            return
        await asyncio.sleep(_PAUSE_SECONDS)


def identifier(name: str) -> str:
    """Any name as SQL writes it."""
    escaped = name.replace("`", "``")
    return f"`{escaped}`"


def literal(text: str) -> str:
    """Any text as SQL writes it; a backslash escapes unless the server is told otherwise."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


async def _login(runtime: Runtime, container: str) -> Mapping[str, str]:
    """Root's password, as the image was told it; without one root may be let in by the socket."""
    answer = await runtime.execute(container, ["printenv", "-0"])
    known = dict(line.partition("=")[::2] for line in answer.output.split("\0"))
    for name in _PASSWORDS:
        if known.get(name):
            return {"MYSQL_PWD": known[name]}
        if file := known.get(f"{name}_FILE"):
            content = await runtime.execute(container, ["cat", file])
            if content.exit_code != 0:
                raise errors.failed(container, f"reading {file}", content.errors or content.output)
            return {"MYSQL_PWD": content.output.rstrip("\n")}
    return {}
