"""The gateway's files: the record of the table, the maps and the pool that HAProxy starts from.

`table.json` is the adapter's own record, with the last fence of each stack; maps and pool are
rendered from it and rewritten whenever they differ, so a torn or truncated one heals with the next
change.
"""

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from berthmaster.adapters.haproxy import table as text
from berthmaster.adapters.haproxy.errors import FilesNotWritten, GatewayBusy, RecordDamaged
from berthmaster.adapters.haproxy.layout import Layout, PoolSize
from berthmaster.domain import codec
from berthmaster.domain.errors import Bug
from berthmaster.domain.routing import RouteTable

_LOCK_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Record:
    """The table and the last lease number that changed each stack."""

    table: RouteTable = field(default_factory=RouteTable)
    fences: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HostsRecord:
    """The record with its hosts as the map has them, and everything else unread."""

    table: Any  # as it is written
    entries: Mapping[str, str]
    fences: Mapping[str, int]

    def with_entries(
        self, keys: Iterable[str], new: Mapping[str, str], fences: Mapping[str, int]
    ) -> "HostsRecord":
        """With other entries for these keys, or none."""
        kept = dict(self.entries)
        for key in keys:
            kept.pop(key, None)
        return HostsRecord(self.table, {**kept, **new}, fences)


class RecordFiles:
    """Read and write the record and what is derived from it; callers hold `locked()`."""

    def __init__(self, layout: Layout, size: PoolSize) -> None:
        self._layout = layout
        self._size = size

    @contextlib.asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Keep every other process out of the gateway's table; raises `GatewayBusy`."""
        self._layout.lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._layout.lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            await _lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def load(self) -> Record:
        """Read the record; none at all is an empty one, unless the maps say that there was one."""
        path = self._layout.record
        try:
            data = json.loads(path.read_bytes())
            table = codec.decode(RouteTable, data["table"])
            hosts = text.parse_claims(data.get("hosts", {}))
            return Record(replace(table, hosts=(*table.hosts, *hosts)), dict(data["fences"]))
        except FileNotFoundError:
            if any(_has_text(self._layout.map(name)) for name in text.MAPS):
                raise RecordDamaged(path, "is gone although there are routes") from None
            return Record()
        except (ValueError, KeyError, TypeError, AttributeError, Bug) as error:
            raise RecordDamaged(path, f"cannot be read ({error})") from error

    def load_hosts(self) -> HostsRecord:
        """Read the record and look at its hosts only."""
        try:
            data = json.loads(self._layout.record.read_bytes())
            if not data["table"]["hosts"]:
                return HostsRecord(data["table"], dict(data["hosts"]), dict(data["fences"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            pass  # said by `load`, or an older record, or none
        record = self.load()
        entries = text.render_entries(record.table)["hosts"]
        return HostsRecord(_encoded(record.table), entries, record.fences)

    def save_hosts(self, record: HostsRecord) -> None:
        """Write the record and the map of hosts."""
        data = {"table": record.table, "hosts": record.entries, "fences": dict(record.fences)}
        write_atomically(self._layout.record, json.dumps(data) + "\n")
        write_atomically(self._layout.map("hosts"), text.render_map(record.entries))

    def save(self, record: Record) -> None:
        """Write the record, then every file that differs from what it says."""
        entries = text.render_entries(record.table)
        # Hosts as the map has them: ten thousand of them are written at each change.
        data = {
            "table": _encoded(record.table),
            "hosts": entries["hosts"],
            "fences": dict(record.fences),
        }
        files = {self._layout.record: json.dumps(data) + "\n"}
        files |= {self._layout.map(name): text.render_map(entries[name]) for name in text.MAPS}
        files[self._layout.pool] = text.render_pool(record.table.backends, self._size)
        for path, content in files.items():
            write_atomically(path, content)

    def stale(self) -> tuple[Path, ...]:
        """Files that are not what the record says: the router would start from them."""
        table = self.load().table
        entries = text.render_entries(table)
        wanted = {self._layout.map(name): text.render_map(entries[name]) for name in text.MAPS}
        wanted[self._layout.pool] = text.render_pool(table.backends, self._size)
        return tuple(path for path, content in wanted.items() if _content(path) != content)


def _encoded(table: RouteTable) -> Any:
    """Without the hosts, which stand beside it as the map has them."""
    return codec.encode(replace(table, hosts=()))


def write_atomically(path: Path, content: str, mode: int = 0o600) -> bool:
    """Write a file so that readers and crashes find old or new, whole; False when unchanged.

    Raises `FilesNotWritten` when the disk does not take it.
    """
    try:
        return _write(path, content.encode(), mode)
    except OSError as error:
        raise FilesNotWritten(path, error) from error


def _write(path: Path, wanted: bytes, mode: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == wanted:
            return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(wanted)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _content(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def _has_text(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


async def _lock(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _LOCK_SECONDS
    while not _try_lock(descriptor):
        if loop.time() > deadline:
            raise GatewayBusy(_LOCK_SECONDS)
        await asyncio.sleep(_POLL_SECONDS)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
