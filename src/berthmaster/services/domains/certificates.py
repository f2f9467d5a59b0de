"""`berth cert`: what the edge holds, why a name has none, imports, and which apps are asked."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from berthmaster.domain.errors import OutsideError
from berthmaster.domain.hosting import is_covered
from berthmaster.domain.routing import Tls
from berthmaster.engine.lease import hold
from berthmaster.ports.certificates import Asking, HeldCertificate
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import Event
from berthmaster.services.bring_up_gateway import SERVER_LEASE
from berthmaster.services.domains.watch import Alert, is_low, open_alerts

HANDSHAKE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class CertificateLine:
    """A host that has a certificate or could not get one."""

    host: str
    held: HeldCertificate | None
    error: str  # the last one that the edge logged
    days_left: float | None
    is_low: bool = False  # it should have been renewed long ago

    @property
    def is_bad(self) -> bool:
        """Whether visitors see, or soon will see, an error."""
        return self.held is None or self.is_low


@dataclass(frozen=True, slots=True)
class CertificateReport:
    """Every certificate, and what is left of the budgets."""

    lines: tuple[CertificateLine, ...]
    asking: Asking | None  # None: the responder does not answer
    alerts: tuple[Alert, ...] = ()  # that `berth tick` has opened
    log_error: str = ""  # why the edge's log, and with it the hosts without one, is not known


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """What a server shows for a host at an address."""

    host: str
    address: str
    port: int
    issuer: str
    names: tuple[str, ...]
    begins_at: datetime | None
    ends_at: datetime | None
    error: str  # empty when it is for the host and valid now

    @property
    def is_good(self) -> bool:
        """Whether a browser would take it, its signer apart."""
        return not self.error


async def read_certificates(outside: Outside) -> CertificateReport:
    """What lies in the edge's folder, and the hosts of its log that have none."""
    now, log_error = outside.clock.now(), ""
    try:
        errors = await outside.certificates.errors()
    except OutsideError as error:  # what is held lies on the disk
        errors, log_error = {}, error.message
    held = outside.certificates.held()
    lines = [
        CertificateLine(
            item.host,
            item,
            errors.get(item.host, ""),
            (item.ends_at - now).total_seconds() / 86400,
            is_low(item, now),
        )
        for item in held
    ]
    covered = [name for item in held for name in item.names]
    lines += [
        CertificateLine(host, None, reason, None)
        for host, reason in errors.items()
        if not is_covered(host, covered)
    ]
    ordered = sorted(lines, key=lambda line: line.host)
    asking = await outside.certificates.asking()
    return CertificateReport(tuple(ordered), asking, open_alerts(outside), log_error)


async def check_certificate(
    outside: Outside, host: str, address: str | None, port: int | None
) -> ShownCertificate:
    """Shake hands with an address by a host's name, as `curl --resolve` does (R125)."""
    at, number = address or "127.0.0.1", port or _tls_port(outside)
    shown = await outside.prober.certificate(at, number, host, timeout_seconds=HANDSHAKE_SECONDS)
    now, error = outside.clock.now(), shown.error
    if not error and not is_covered(host, shown.names):
        error = f"it is for {', '.join(shown.names[:3]) or 'nobody'}"
    elif not error and shown.ends_at is not None and shown.ends_at <= now:
        error = f"it ended on {shown.ends_at:%Y-%m-%d %H:%M} UTC"
    elif not error and shown.begins_at is not None and shown.begins_at > now:
        error = f"it begins on {shown.begins_at:%Y-%m-%d %H:%M} UTC"
    return ShownCertificate(
        host, at, number, shown.issuer, shown.names, shown.begins_at, shown.ends_at, error
    )


async def import_certificate(outside: Outside, certificate: Path, key: Path) -> HeldCertificate:
    """Give the edge a certificate that a person brought; it is shown from now on."""
    async with hold(outside.store, SERVER_LEASE, what="berth cert import"):
        found = await outside.certificates.take(certificate, key, outside.clock.now())
        _note(outside, "certificate_imported", found.host)
        return found


async def drop_certificate(outside: Outside, host: str) -> bool:
    """Take an imported certificate away again."""
    async with hold(outside.store, SERVER_LEASE, what="berth cert remove"):
        is_gone = await outside.certificates.drop(host)
        if is_gone:
            _note(outside, "certificate_removed", host)
        return is_gone


def _tls_port(outside: Outside) -> int:
    secure = (item.port for item in outside.entrypoints if item.tls is not Tls.OFF)
    return next(secure, 443)


def _note(outside: Outside, what: str, host: str) -> None:
    outside.store.record(Event(outside.clock.now(), outside.actor, None, what, host))
