"""HAProxy as the router port: each verb changes files, then memory, then looks whether both agree.

A verb computes the table it wants and sends the difference to what the memory holds, so it heals
what an earlier, killed one left half done. It never reloads and never restarts HAProxy.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from berthmaster.adapters.haproxy import table as text
from berthmaster.adapters.haproxy.errors import CommandRefused, RecordDamaged, RouterUnavailable
from berthmaster.adapters.haproxy.layout import Layout, PoolSize
from berthmaster.adapters.haproxy.record import Record, RecordFiles
from berthmaster.adapters.haproxy.runtime import Pairs, Runtime, server_commands
from berthmaster.adapters.haproxy.status import ask_answers, edge_answers, edge_version
from berthmaster.domain import table as change
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.routing import (
    Backend,
    Entrypoint,
    GatewayStatus,
    HostClaim,
    Prefix,
    RouteTable,
    Tls,
)

Change = Callable[[RouteTable], RouteTable]


class HaproxyRouter:
    """The table in HAProxy's memory and in the files under `folder`.

    Safe for several processes at once: a change holds a lock on the folder.
    """

    def __init__(
        self, folder: Path, entrypoints: Sequence[Entrypoint] = (), pool: PoolSize | None = None
    ) -> None:
        self._layout = Layout(folder)
        self._entrypoints = tuple(entrypoints)
        self._size = pool or PoolSize()
        self._files = RecordFiles(self._layout, self._size)
        self._runtime = Runtime(self._layout)

    async def table(self) -> RouteTable:
        """What the router's memory holds now."""
        maps = {name: dict(pairs) for name, pairs in (await self._runtime.maps()).items()}
        return text.parse_table(maps, await self._runtime.servers())

    async def claims_of(self, host: str) -> tuple[HostClaim, ...]:
        """Who has a host in the router's memory, by one look-up for each entrypoint."""
        keys = [text.host_key(item.name, host) for item in self._entrypoints]
        return text.parse_claims(dict(await self._runtime.entries("hosts", keys)))

    def mark(self) -> str:
        """What `gateway up` made; empty before."""
        try:
            return self._layout.mark.read_text()
        except OSError:
            return ""

    async def attach(
        self, stack: str, backends: Sequence[Backend], prefixes: Sequence[Prefix], *, fence: int
    ) -> None:
        """Fill slots and add prefixes; raises `NoAddressLeft` for a slot outside the pool."""
        self._check_pool(backends)
        await self._change(
            [stack],
            fence,
            lambda old: change.attach(old, stack, backends, prefixes),
            moves_slots=True,
        )

    async def detach(self, stack: str, release: str, *, fence: int) -> None:
        """Remove prefixes and empty slots; what runs through them goes on to its end."""
        await self._change(
            [stack], fence, lambda old: change.detach(old, release), moves_slots=True
        )

    async def claim_hosts(self, claims: Sequence[HostClaim], *, fence: int) -> None:
        """Give hosts to their stacks."""
        await self._change_hosts(claims, fence, lambda old: change.claim_hosts(old, claims))

    async def release_hosts(self, claims: Sequence[HostClaim], *, fence: int) -> None:
        """Take hosts away: they get 421 from the next request on."""
        await self._change_hosts(claims, fence, lambda old: change.release_hosts(old, claims))

    async def switch(self, stack: str, release: str | None, *, fence: int) -> None:
        """One `set map`: every route, domain and site of the stack at once."""
        await self._change([stack], fence, lambda old: change.switch(old, stack, release))

    async def set_maintenance(self, stack: str, is_on: bool, *, fence: int) -> None:
        """Answer every request of a stack with the maintenance page, or no more."""
        await self._change([stack], fence, lambda old: change.set_maintenance(old, stack, is_on))

    async def in_flight(self, release: str) -> int:
        """Requests, WebSockets and streams in the release's slots; files of sites do not count."""
        return await self._runtime.session_count(self._slots_of(release))

    async def waiting(self, release: str) -> int:
        """Requests in the queues of the release's slots."""
        return await self._runtime.waiting_count(self._slots_of(release))

    async def replace_table(self, table: RouteTable) -> None:
        """Write the whole table and forget all fences; into the files only when the router is down.

        The store is the truth here, so its lease numbers may be smaller than those seen before (a
        store restored from a copy). Raises `GatewayRefused` for an empty table over a full one.
        """
        self._check_pool(table.backends)
        new = Record(change.tidied(table))
        async with self._files.locked():
            change.check_replacement(await self._known(), new.table)
            text.render_entries(new.table)
            self._files.save(new)
            try:
                await self._converge(new.table)
            except RouterUnavailable:
                return  # it starts from the files

    async def status(self) -> GatewayStatus:
        """Whether both processes answer, and what differs between the record and the memory."""
        try:
            version: str | None = (await self._runtime.info()).get("Version")
            differences = await self._differences()
        except RouterUnavailable as error:
            version, differences = None, (error.message,)
        is_edge_up = await edge_answers(self._layout)
        return GatewayStatus(
            is_router_up=version is not None,
            is_edge_up=is_edge_up,
            router_version=version,
            edge_version=edge_version(self._layout) if is_edge_up else None,
            differences=differences,
            entrypoints=self._entrypoints,
            is_ask_up=await ask_answers(self._layout) if self._has_tls else None,
        )

    @property
    def _has_tls(self) -> bool:
        return any(item.tls is not Tls.OFF for item in self._entrypoints)

    def _slots_of(self, release: str) -> set[int]:
        prefixes = self._files.load().table.prefixes
        return {
            item.backend
            for item in prefixes
            if item.release == release and item.backend is not None
        }

    def _check_pool(self, backends: Sequence[Backend]) -> None:
        change.check_pool(
            backends,
            slot_count=self._size.backends,
            server_count=self._size.servers_per_backend,
        )

    async def _change(
        self, stacks: Sequence[str], fence: int, apply: Change, *, moves_slots: bool = False
    ) -> None:
        async with self._files.locked():
            old = self._files.load()
            for stack in stacks:
                change.check_fence(stack, old.fences.get(stack, 0), fence)
            fences = {**old.fences, **dict.fromkeys(stacks, fence)}
            new = Record(change.tidied(apply(old.table)), fences)
            text.render_entries(new.table)
            await self._runtime.info()  # a router that is down refuses before anything is written
            await self._write(old, new, moves_slots)

    async def _change_hosts(self, claims: Sequence[HostClaim], fence: int, apply: Change) -> None:
        """The same for a few of ten thousand hosts: nothing is looked at but their own entries."""
        keys = sorted({text.host_key(claim.entrypoint, claim.host) for claim in claims})
        async with self._files.locked():
            old = self._files.load_hosts()
            for claim in claims:
                change.check_fence(claim.stack, old.fences.get(claim.stack, 0), fence)
            there = {key: old.entries[key] for key in keys if key in old.entries}
            part = apply(RouteTable(hosts=text.parse_claims(there)))
            wanted = text.render_entries(part)["hosts"]
            fences = {**old.fences, **{claim.stack: fence for claim in claims}}
            new = old.with_entries(keys, wanted, fences)
            await self._runtime.info()
            self._files.save_hosts(new)
            try:
                await self._converge_hosts(keys, wanted)
            except OutsideError:
                self._files.save_hosts(old.with_entries([], {}, fences))
                raise

    async def _converge_hosts(self, keys: Sequence[str], wanted: text.Entries) -> None:
        said = ""
        for _ in range(2):
            have = await self._runtime.entries("hosts", keys)
            put, gone = self._runtime.map_commands("hosts", have, wanted)
            if not put and not gone:
                return
            said = await self._runtime.send([*put, *gone])
        have = await self._runtime.entries("hosts", keys)
        if dict(have) != wanted:
            raise CommandRefused(f"the hosts were not taken ({said.strip()[:300] or 'no answer'})")

    async def _write(self, old: Record, new: Record, moves_slots: bool) -> None:
        """Files, then memory; the files as they were when the memory does not take it."""
        self._files.save(new)
        try:
            await self._converge(new.table, moves_slots)
        except OutsideError:
            self._files.save(replace(old, fences=new.fences))
            raise

    async def _converge(self, wanted: RouteTable, moves_slots: bool = True) -> None:
        """Send what the memory lacks, and look; raises `CommandRefused` when it still lacks it."""
        commands = await self._commands(wanted, moves_slots)
        if not commands:
            return
        said = await self._runtime.send(commands)
        if rest := await self._commands(wanted, moves_slots):
            detail = " ".join(said.split())[:300]
            raise CommandRefused(f"`{rest[0]}` had no effect ({detail or 'no answer'})")

    async def _commands(self, wanted: RouteTable, moves_slots: bool = True) -> list[str]:
        """In an order that never leaves a route without its upstream."""
        put, gone = self._map_commands(await self._runtime.maps(), wanted)
        if not moves_slots:
            return [*put, *gone]
        limited = [item.slot for item in wanted.backends if item.limit]
        filled, emptied = _slot_commands(
            await self._runtime.servers(limited), wanted.backends, self._size.servers_per_backend
        )
        return [*filled, *put, *gone, *emptied]

    def _map_commands(
        self, maps: dict[str, Pairs], wanted: RouteTable
    ) -> tuple[list[str], list[str]]:
        entries, put, gone = text.render_entries(wanted), list[str](), list[str]()
        for name in text.MAPS:
            additions, removals = self._runtime.map_commands(name, maps[name], entries[name])
            put += additions
            gone = removals + gone
        return put, gone

    async def _known(self) -> RouteTable:
        """The record's table, or the memory's when the record is damaged."""
        try:
            return self._files.load().table
        except RecordDamaged:
            try:
                return await self.table()
            except RouterUnavailable:
                return RouteTable()

    async def _differences(self) -> tuple[str, ...]:
        try:
            stale = (f"{path} is not what the record says" for path in self._files.stale())
            return (*stale, *await self._commands(self._files.load().table))
        except RecordDamaged as error:
            return (error.message,)


def _slot_commands(
    have: Sequence[Backend], want: Sequence[Backend], count: int
) -> tuple[list[str], list[str]]:
    old = {item.slot: item for item in have}
    new = {item.slot: item for item in want}
    filled, emptied = list[str](), list[str]()
    for slot in sorted(old.keys() | new.keys()):
        empty = Backend(slot, ())
        commands = server_commands(old.get(slot, empty), new.get(slot, empty), count)
        (filled if slot in new else emptied).extend(commands)
    return filled, emptied
