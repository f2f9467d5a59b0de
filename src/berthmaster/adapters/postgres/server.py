"""The PostgreSQL inside a container: its tools, run over its own socket, and SQL with any name.

No password is needed on the socket and none is put anywhere.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from berthmaster.adapters.dumps import errors
from berthmaster.domain.container import ExecResult
from berthmaster.ports.runtime import Runtime

# 85 MB take about 1.3 s (limits.md 2.6): far beyond what one server holds.
DUMP_SECONDS: Final = 3600.0
QUERY_SECONDS: Final = 30.0
START_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.2
_NOT_YET: Final = {1, 2}  # of pg_isready: it starts, or nobody listens
_LIST: Final = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datallowconn ORDER BY 1"


@dataclass(frozen=True, slots=True)
class Server:
    """The PostgreSQL inside a container and the user that may read all of it."""

    runtime: Runtime
    container: str
    user: str

    async def databases(self) -> tuple[str, ...]:
        """Every database that is no template."""
        return tuple((await self.ask(_LIST)).split("\n")[:-1])

    async def ask(
        self, *statements: str, database: str = "template1", seconds: float = QUERY_SECONDS
    ) -> str:
        """Run statements, each in a transaction of its own; returns the rows, without a heading."""
        return (await self.run("psql", *_words(statements, database), seconds=seconds)).output

    async def ask_much(self, *statements: str, database: str) -> str:
        """The same for an answer of any length: `execute` keeps only the end of a long one."""
        with tempfile.NamedTemporaryFile(suffix=".rows") as answer:  # mode 0600
            into = Path(answer.name)
            await self.run("psql", *_words(statements, database), into=into, seconds=QUERY_SECONDS)
            return into.read_text(errors="replace")  # noqa: ASYNC240 - a local file

    async def version(self) -> str:
        """The server's tools' version: `15.18`."""
        answer = await self.run("pg_dump", "--version", has_login=False)
        return next((word for word in answer.output.split() if word[0].isdigit()), "")

    async def run(
        self,
        tool: str,
        *arguments: str,
        into: Path | None = None,
        source: Path | None = None,
        has_login: bool = True,
        seconds: float | None = None,
    ) -> ExecResult:
        """Run a tool without a prompt; raises `OutsideError` with what it said."""
        login: Sequence[str] = (f"--username={self.user}", "--no-password") if has_login else ()
        usual = DUMP_SECONDS if into is not None or source is not None else QUERY_SECONDS
        answer = await self.runtime.execute(
            self.container,
            [tool, *login, *arguments],
            into=into,
            source=source,
            timeout_seconds=usual if seconds is None else seconds,
        )
        if answer.exit_code != 0:
            raise errors.failed(self.container, tool, answer.errors or answer.output)
        return answer


async def open_server(runtime: Runtime, container: str) -> Server:
    """The server in a container; raises `OutsideError` when it does not run."""
    found = await runtime.container(container)
    if found is None or not found.is_running:
        raise errors.not_running(container)
    return Server(runtime, container, await _user(runtime, container))


async def await_answer(server: Server, seconds: float = START_SECONDS) -> None:
    """Wait for a server that still starts; after so many seconds whoever asks it is told why.

    Over TCP, because an image that makes its first database does that with a server that listens on
    the socket only, and then starts another one.
    """
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        answer = await server.runtime.execute(
            server.container, ["pg_isready", "--quiet", "--host=127.0.0.1"]
        )
        if answer.exit_code not in _NOT_YET:
            return
        await asyncio.sleep(_PAUSE_SECONDS)


def _words(statements: Sequence[str], database: str) -> Sequence[str]:
    commands = [part for statement in statements for part in ("--command", statement)]
    return (
        *("--no-psqlrc", "--quiet", "--tuples-only", "--no-align"),
        *("--set=ON_ERROR_STOP=1", connection(database), *commands),
    )


def connection(database: str) -> str:
    """Name a database for a tool: as a setting, so that one with `=` in it is only a name."""
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"--dbname=dbname='{escaped}'"


def identifier(name: str) -> str:
    """Any name as SQL writes it."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """Any text as SQL writes it; `standard_conforming_strings` is on since 9.1."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


async def _user(runtime: Runtime, container: str) -> str:
    """The superuser that the image made: from the container's own environment."""
    answer = await runtime.execute(container, ["printenv", "POSTGRES_USER"])
    if answer.exit_code == 0:
        return answer.output.strip()
    answer = await runtime.execute(container, ["printenv", "POSTGRES_USER_FILE"])
    if answer.exit_code == 0:
        answer = await runtime.execute(container, ["cat", answer.output.strip()])
    return answer.output.strip() if answer.exit_code == 0 else "postgres"
