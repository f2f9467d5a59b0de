"""The certificates that the edge holds: what lies in its folder, and what it said of failures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HeldCertificate:
    """A certificate in the edge's folder."""

    host: str  # the first of its names
    names: tuple[str, ...]
    issuer: str
    begins_at: datetime
    ends_at: datetime
    is_imported: bool = False


@dataclass(frozen=True, slots=True)
class Asking:
    """What the ask responder counted since it started; None of it when it does not answer."""

    decisions: Mapping[str, int] = field(default_factory=dict)
    orders: Mapping[str, int] = field(default_factory=dict)  # of 7 days, by how they ended
    alerts: tuple[str, ...] = ()  # budgets that are nearly used up, in words


@dataclass(frozen=True, slots=True)
class AppQuestion:
    """How a pooled app is asked whether it knows a name below its suffix."""

    path: str
    host: str  # a name of the app that it surely answers
    entrypoint: str


class Certificates(Protocol):
    """Only files of the gateway's folder and the edge's log; nothing here orders anything."""

    def held(self) -> tuple[HeldCertificate, ...]:
        """By host; files that are no certificate are left out."""
        ...

    def forget(self, hosts: Iterable[str]) -> tuple[str, ...]:
        """Delete certificate and key of hosts; returns those that had one. Imported ones stay."""
        ...

    def check_pair(self, certificate: Path, key: Path, now: datetime) -> HeldCertificate:
        """What an import would bring; raises `NotAllowed` when the two do not fit or it is over."""
        ...

    async def take(self, certificate: Path, key: Path, now: datetime) -> HeldCertificate:
        """Import a pair and have the edge read it; one with the same first name is replaced."""
        ...

    async def drop(self, host: str) -> bool:
        """Take an imported one away again; False when there is none."""
        ...

    async def asking(self) -> Asking | None:
        """What the ask responder counted; None when it does not answer."""
        ...

    async def errors(self) -> Mapping[str, str]:
        """The last reason for which a host got no certificate, by host, from the edge's log."""
        ...

    def tell_apps(self, questions: Mapping[str, AppQuestion]) -> bool:
        """Which apps the responder asks, by project; True when that changed something."""
        ...


def last_errors(lines: Sequence[Mapping[str, object]]) -> dict[str, str]:
    """Hosts and reasons of the edge's structured log lines, the last one for each host."""
    found: dict[str, str] = {}
    for line in lines:
        if line.get("level") != "error":  # a warning still gave a certificate
            continue
        names = (line.get("identifier"), line.get("server_name"), line.get("identifiers"))
        for name in names:
            hosts = name if isinstance(name, list) else [name]
            for host in hosts:
                if isinstance(host, str) and host and "error" in line:
                    found[host] = str(line["error"])
    return found
