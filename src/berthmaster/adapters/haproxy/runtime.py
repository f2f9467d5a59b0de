"""HAProxy's runtime socket: read maps and servers, and send what is missing.

Every call opens the socket anew, so a restarted router is found at once. Decides nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from berthmaster.adapters.haproxy import table
from berthmaster.adapters.haproxy.errors import RouterUnavailable
from berthmaster.adapters.haproxy.layout import Layout
from berthmaster.domain.routing import Backend

_TIMEOUT_SECONDS: Final = 10.0
_BATCH: Final = 40  # commands in one line
_LINE: Final = 12_000  # characters of one, unless a single command has more: the buffer has 16 KiB

Pairs = list[tuple[str, str]]


class Runtime:
    """The commands that the router needs of `haproxy.sock`; each raises `RouterUnavailable`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    async def info(self) -> Mapping[str, str]:
        """`show info`, with `Version`, `Pid` and `Uptime_sec`."""
        lines = (line.partition(": ") for line in (await self._ask("show info")).splitlines())
        return {name: value for name, _, value in lines if name}

    async def maps(self) -> dict[str, Pairs]:
        """Every map's entries; a key may appear twice when somebody else added it."""
        return {
            name: table.parse_map(await self._ask(f"show map {self._map(name)}"))
            for name in table.MAPS
        }

    async def entries(self, name: str, keys: Sequence[str]) -> Pairs:
        """What a map holds for these keys."""
        said = await self.send([f"get map {self._map(name)} {key}" for key in keys])
        return table.parse_found(said)

    async def servers(self, limited: Iterable[int] | None = None) -> tuple[Backend, ...]:
        """What the slots hold; 6 ms for 4,000 servers.

        Their limits too, of those in `limited` or of all: each is a question of its own.
        """
        found = table.parse_servers(await self._ask("show servers state"))
        wanted = {item.slot for item in found}
        wanted &= wanted if limited is None else set(limited)
        commands = [f"show stat {table.backend_name(slot)} 4 -1" for slot in sorted(wanted)]
        limits = table.parse_limits(await self.send(commands))
        return tuple(replace(item, limit=limits.get(item.slot)) for item in found)

    async def session_count(self, slots: Iterable[int]) -> int:
        """Streams that run through these slots now; idle connections to servers are none."""
        return await self._sum(slots, 4)

    async def waiting_count(self, slots: Iterable[int]) -> int:
        """Requests that wait for a server of these slots."""
        return await self._sum(slots, 2)

    async def _sum(self, slots: Iterable[int], column: int) -> int:
        import csv

        commands = [f"show stat {table.backend_name(slot)} 2 -1" for slot in sorted(set(slots))]
        rows = csv.reader((await self.send(commands)).splitlines())
        return sum(int(row[column]) for row in rows if len(row) > 4 and row[1] == "BACKEND")

    async def send(self, commands: Sequence[str]) -> str:
        """Send commands in order, a batch at a time; returns what was said about them."""
        return "\n".join([await self._ask(line) for line in _lines(commands)])

    def map_commands(
        self, name: str, have: Pairs, want: Mapping[str, str]
    ) -> tuple[list[str], list[str]]:
        """What adds or changes entries of a map, and what removes them."""
        path, old = self._map(name), dict(have)
        doubled = set[str]()
        if len(old) < len(have):
            doubled = {key for key, count in Counter(key for key, _ in have).items() if count > 1}
        gone = [f"del map {path} {key}" for key in old if key not in want]
        put = [f"del map {path} {key}" for key in sorted(doubled & want.keys())]
        for key, value in want.items():
            if key not in old or key in doubled:
                put.append(f"add map {path} {key} {value}")
            elif old[key] != value:
                put.append(f"set map {path} {key} {value}")
        return put, gone

    def _map(self, name: str) -> Path:
        return self._layout.map(name)

    async def _ask(self, line: str) -> str:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                reader, writer = await asyncio.open_unix_connection(str(self._layout.admin_socket))
                try:
                    writer.write(f"{line}\n".encode())
                    await writer.drain()
                    return (await reader.read()).decode()
                finally:
                    writer.close()
        except TimeoutError as error:
            raise RouterUnavailable(f"no answer in {_TIMEOUT_SECONDS:.0f} s") from error
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise RouterUnavailable("nobody answers at its socket", is_gone=True) from error
        except OSError as error:
            raise RouterUnavailable(error.strerror or str(error)) from error


def _lines(commands: Iterable[str]) -> Iterator[str]:
    batch, length = list[str](), 0
    for command in commands:
        if batch and (len(batch) == _BATCH or length + len(command) >= _LINE):
            yield ";".join(batch)
            batch, length = [], 0
        batch.append(command)
        length += len(command) + 1
    if batch:
        yield ";".join(batch)


def server_commands(have: Backend, want: Backend, count: int) -> list[str]:
    """Fill or empty a slot; an emptied server points nowhere and takes no new request.

    A server is limited, or not any more, before it takes the first one.
    """
    if have == want:
        return []
    commands = []
    for number in range(1, count + 1):
        name = f"{table.backend_name(want.slot)}/s{number}"
        if number <= len(want.servers):
            address, _, port = want.servers[number - 1].rpartition(":")
            commands += [
                f"set maxconn server {name} {want.limit or 0}",
                f"set server {name} addr {address} port {port}",
                f"set server {name} state ready",
            ]
        else:
            address, empty_port = table.NOWHERE
            commands += [
                f"set server {name} state maint",
                f"set server {name} addr {address} port {empty_port}",
            ]
    return commands
