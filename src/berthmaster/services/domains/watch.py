"""Part of `berth tick`: certificates that end soon or cannot be had, and budgets near their end.

Alerts are one row of the audit trail, written whenever another set of them is open: the newest row
is what is open now. A certificate that is due is asked for by a handshake first: the edge renews
only what somebody visits.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from berthmaster.domain.hosting import is_covered, suffix_of
from berthmaster.domain.routing import Tls
from berthmaster.ports.certificates import HeldCertificate
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import Event
from berthmaster.services.domains.elsewhere import live_release

ALERTS: Final = "certificate_alerts"  # its detail: a line each, `subject: text`
LOW: Final = timedelta(days=15)  # or a sixth of its life, whatever is less
MOST_HANDSHAKES: Final = 10  # in one look
MOST_ALERTS: Final = 100
HANDSHAKE_SECONDS: Final = 30.0
LOOPBACK: Final = "127.0.0.1"
ORDERS: Final = "orders"  # subject of what concerns the whole account
LOOK_EVERY: Final = 30  # minutes: reading ten thousand certificates takes a second
LOOK_MINUTES: Final = 2  # the timer runs once a minute, or a little less often


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person has to look after."""

    subject: str  # a host; a registered domain whose budget ends; `orders`
    text: str


def open_alerts(outside: Outside) -> tuple[Alert, ...]:
    """What was open when `berth tick` looked last."""
    last = outside.store.last_event(ALERTS)
    lines = (line.partition(": ") for line in last.detail.splitlines()) if last else ()
    return tuple(Alert(subject, text) for subject, _, text in lines if text)


def alerts_of(outside: Outside, hosts: Iterable[str]) -> tuple[Alert, ...]:
    """Those that concern one of these hosts."""
    names = tuple(hosts)
    return tuple(item for item in open_alerts(outside) if _concerns(item, names))


def is_low(held: HeldCertificate, now: datetime) -> bool:
    """Whether it should have been renewed long ago: the edge does that in the last third."""
    return held.ends_at - now < min(LOW, (held.ends_at - held.begins_at) / 6)


async def watch_certificates(outside: Outside, *, always: bool = False) -> tuple[str, ...]:
    """Find what is open now; returns a line for each alert that is new or gone."""
    if all(item.tls is Tls.OFF for item in outside.entrypoints):
        return ()
    before = {item.subject: item for item in open_alerts(outside)}
    found = await _budgets(outside, before)
    if always or outside.clock.now().minute % LOOK_EVERY < LOOK_MINUTES:
        found += await _certificates(outside)
    else:
        found += [item for item in before.values() if not _is_budget(item)]
    # One that stays keeps its words: a number in it that changes is no news.
    after = {item.subject: before.get(item.subject, item) for item in found[:MOST_ALERTS]}
    if after.keys() == before.keys():
        return ()
    detail = "\n".join(f"{item.subject}: {item.text}" for item in after.values())
    outside.store.record(Event(outside.clock.now(), outside.actor, None, ALERTS, detail))
    new = [f"{item.subject}: {item.text}" for key, item in after.items() if key not in before]
    gone = [f"{key}: its certificates are in order again" for key in before if key not in after]
    problems = [await outside.notifier.tell(line) for line in new]
    return (*new, *gone, *(f"nobody was told: {problem}" for problem in problems if problem))


async def _budgets(outside: Outside, before: Mapping[str, Alert]) -> list[Alert]:
    """What the responder says; while it does not answer, what it said last."""
    asking = await outside.certificates.asking()
    if asking is None:
        return [item for item in before.values() if _is_budget(item)]
    found = []
    for line in asking.alerts:
        subject, _, text = line.rpartition(": ")
        found.append(Alert(subject or ORDERS, text))
    return found


async def _certificates(outside: Outside) -> list[Alert]:
    now, ours = outside.clock.now(), _routed(outside)
    held = _held(outside, ours)
    if due := [item for item in held if _is_due(item, now)]:
        await _renew(outside, due)
        held = _held(outside, ours)
    errors = await outside.certificates.errors()
    covered = frozenset(name for item in held for name in item.names)
    found = [
        Alert(item.host, _what_is_low(item, now, errors.get(item.host, "")))
        for item in held
        if is_low(item, now)
    ]
    found += [
        Alert(host, f"it gets no certificate: {_line(reason)}")
        for host, reason in sorted(errors.items())
        if _is_among(host, ours) and not _is_among(host, covered)
    ]
    return found


def _held(outside: Outside, ours: frozenset[str]) -> list[HeldCertificate]:
    """Those of hosts that are answered here, and what a person imported."""
    held = outside.certificates.held()
    return [item for item in held if item.is_imported or _is_among(item.host, ours)]


def _is_among(host: str, hosts: frozenset[str]) -> bool:
    """As `is_covered`, for ten thousand questions about the same names."""
    return host in hosts or suffix_of(host) in hosts


def _is_due(held: HeldCertificate, now: datetime) -> bool:
    return not held.is_imported and held.ends_at - now < (held.ends_at - held.begins_at) / 3


async def _renew(outside: Outside, due: Iterable[HeldCertificate]) -> None:
    """Visit the hosts whose certificates end first."""
    port = next(item.port for item in outside.entrypoints if item.tls is not Tls.OFF)
    for item in sorted(due, key=lambda one: one.ends_at)[:MOST_HANDSHAKES]:
        await outside.prober.certificate(
            LOOPBACK, port, item.host, timeout_seconds=HANDSHAKE_SECONDS
        )


def _what_is_low(held: HeldCertificate, now: datetime, error: str) -> str:
    when = f"{held.ends_at:%Y-%m-%d %H:%M} UTC"
    if held.ends_at <= now:
        text = f"its certificate ended on {when}"
    else:
        text = f"its certificate ends on {when}"
    if held.is_imported:
        return f"{text}; it was imported: import the next one"
    return f"{text} and is not renewed{': ' if error else ''}{_line(error)}"


def _routed(outside: Outside) -> frozenset[str]:
    """Every host that this server is to answer; what strangers ask for is no alert."""
    hosts = {item.host for item in outside.store.domains() if item.is_routed}
    for record in outside.store.stacks():
        release = live_release(outside, record.id)
        hosts |= set(release.hosts if release else ())
    return frozenset(hosts)


def _is_budget(alert: Alert) -> bool:
    return alert.text.endswith(" are used")


def _concerns(alert: Alert, hosts: tuple[str, ...]) -> bool:
    if _is_budget(alert):
        return alert.subject == ORDERS or any(
            host == alert.subject or host.endswith(f".{alert.subject}") for host in hosts
        )
    return is_covered(alert.subject, hosts)


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
