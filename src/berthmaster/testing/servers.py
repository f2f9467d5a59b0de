"""Servers in memory that know tenants by what commands did to them: enough for a move."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from berthmaster.domain.errors import OutsideError
from berthmaster.ports.servers import Said


@dataclass(frozen=True, slots=True)
class HeldTenant:
    """A tenant as one server has it."""

    state: str = "up"
    data: str = ""  # what its database holds
    backup: str | None = None
    dump: str = ""  # what the backup holds
    hosts: tuple[str, ...] = ("acme.clients.test",)


@dataclass
class FakeServers:
    """`ports.servers.Servers`; a server that is not there cannot be reached."""

    tenants: dict[str, dict[str, HeldTenant]] = field(default_factory=dict)
    refuses: dict[tuple[str, str], int] = field(default_factory=dict)  # code by server and verb
    lost_at: int | None = None  # this call, counted from 0, is cut off ...
    is_late: bool = False  # ... after it was done
    calls: list[str] = field(default_factory=list)
    exports: int = 0

    def ask(
        self, server: str, *words: str, given: Path | None = None, taken: Path | None = None
    ) -> Said:
        number = len(self.calls)
        self.calls.append(f"{server}: {' '.join(words)}")
        is_lost = number == self.lost_at or server not in self.tenants
        if is_lost and not (self.is_late and server in self.tenants):
            raise OutsideError(f"{server} cannot be reached", subject=server)
        said = self._done(server, words, given, taken)
        if is_lost:
            raise OutsideError(f"the connection to {server} was lost", subject=server)
        return said

    def _done(
        self, server: str, words: tuple[str, ...], given: Path | None, taken: Path | None
    ) -> Said:
        _, verb, name, *_ = words
        if (server, verb) in self.refuses:
            if verb == "import" and given is not None:  # recorded, and then refused
                self._take_in(server, given, "restoring")
            return Said(self.refuses[server, verb])
        here = self.tenants[server]
        if verb == "import" and given is not None:
            return self._take_in(server, given, "up")
        held = here.get(name)
        if held is None:
            return Said(2, json.dumps({"error": {"kind": "NotFound", "message": "no tenant"}}))
        if verb == "show":
            return Said(0, json.dumps(_shown(held)))
        if verb == "export" and taken is not None:
            self.exports += 1
            backup = held.backup or f"export-{self.exports}"
            here[name] = replace(held, state="suspended", backup=backup, dump=held.data)
            taken.write_text(json.dumps({"name": name, "data": held.data, "backup": backup}))
            return Said(0)
        if verb == "forget":
            del here[name]
            return Said(0)
        here[name] = _changed(verb, held)
        return Said(0)

    def _take_in(self, server: str, given: Path, state: str) -> Said:
        parcel = json.loads(given.read_text())
        if parcel["name"] in self.tenants[server]:
            return Said(2)
        data = parcel["data"] if state == "up" else ""
        backup = None if state == "up" else parcel["backup"]
        self.tenants[server][parcel["name"]] = HeldTenant(state, data, backup, parcel["data"])
        return Said(0)


def _shown(held: HeldTenant) -> dict[str, Any]:
    return {"state": held.state, "backup": held.backup, "hosts": held.hosts, "tag": "v1"}


def _changed(verb: str, held: HeldTenant) -> HeldTenant:
    match verb:
        case "unsuspend":
            return replace(held, state="up", backup=None)
        case "restore":
            return replace(held, state="up", backup=None, data=held.dump)
        case "remove":
            return replace(held, state="removed", backup="final-1", dump=held.data)
        case _:
            raise AssertionError(f"no server knows {verb} here")
