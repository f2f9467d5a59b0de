"""The certificates port in memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from berthmaster.domain.errors import NotAllowed
from berthmaster.ports.certificates import AppQuestion, Asking, HeldCertificate


@dataclass(slots=True)
class FakeCertificates:
    """`ports.certificates.Certificates`; every answer is a field that tests set and read."""

    certificates: dict[str, HeldCertificate] = field(default_factory=dict)  # by host
    pairs: dict[tuple[Path, Path], HeldCertificate] = field(default_factory=dict)
    counted: Asking | None = field(default_factory=Asking)
    reasons: dict[str, str] = field(default_factory=dict)
    apps: dict[str, AppQuestion] = field(default_factory=dict)

    def held(self) -> tuple[HeldCertificate, ...]:
        return tuple(item for _, item in sorted(self.certificates.items()))

    def forget(self, hosts: Iterable[str]) -> tuple[str, ...]:
        gone = [
            host
            for host in hosts
            if host in self.certificates and not self.certificates[host].is_imported
        ]
        for host in gone:
            del self.certificates[host]
        return tuple(gone)

    def check_pair(self, certificate: Path, key: Path, now: datetime) -> HeldCertificate:
        found = self.pairs.get((certificate, key))
        if found is None:
            raise NotAllowed(f"{key} is not the key of {certificate}")
        if found.ends_at <= now:
            raise NotAllowed(f"{certificate} ended on {found.ends_at:%Y-%m-%d}")
        return found

    async def take(self, certificate: Path, key: Path, now: datetime) -> HeldCertificate:
        found = self.check_pair(certificate, key, now)
        self.certificates[found.host] = found
        return found

    async def drop(self, host: str) -> bool:
        found = self.certificates.get(host)
        if found is None or not found.is_imported:
            return False
        del self.certificates[host]
        return True

    async def asking(self) -> Asking | None:
        return self.counted

    async def errors(self) -> Mapping[str, str]:
        return dict(self.reasons)

    def tell_apps(self, questions: Mapping[str, AppQuestion]) -> bool:
        is_new = dict(questions) != self.apps
        self.apps = dict(questions)
        return is_new
