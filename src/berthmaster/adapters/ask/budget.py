"""How many certificates may still be ordered: refuses before the authority would.

Let's Encrypt's own limits (5 August 2026), each with a margin: one order more is an outage of days
for every name of the domain. What was ordered is in a journal, so that a restart forgets nothing.
A certificate that is there already and is only renewed is not a new order.
"""

import contextlib
import os
import re
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HOUR: Final = 3600.0
WEEK: Final = 7 * 24 * HOUR
PENDING_SECONDS: Final = 120.0  # after it an order without a certificate has failed
SETTLE_SECONDS: Final = 1.0  # so often it is looked what became of pending orders
ALERT_SHARE: Final = 0.8
_INSTANT: Final = re.compile(r"\d{1,12}\.\d{3}\Z")


@dataclass(frozen=True)
class Limits:
    """What the authority allows."""

    domain_week: int = 50  # certificates for a registered domain in 7 days
    account_three_hours: int = 300  # new orders
    name_week: int = 5  # certificates for the same name in 7 days
    name_hour: int = 5  # failed validations of a name in an hour

    def with_margin(self) -> "Limits":
        """Nine tenths, at least one less."""
        keep: Callable[[int], int] = lambda most: max(1, min(most - 1, most * 9 // 10))  # noqa: E731
        return Limits(
            keep(self.domain_week),
            keep(self.account_three_hours),
            keep(self.name_week),
            keep(self.name_hour),
        )


@dataclass
class Order:
    """One certificate that the edge was allowed to ask for."""

    at: float  # seconds since 1970
    name: str
    domain: str  # registered
    result: str = "pending"  # issued, failed
    is_strange: bool = False  # nothing but a suffix lets the name in: anybody could have made it up


class Budget:
    """Counts orders; `has_certificate` says whether the edge has a name's certificate.

    A decision looks at the orders of its own name and at counters, however many others there are.
    """

    def __init__(
        self,
        journal: Path,
        has_certificate: Callable[[str], bool],
        registered: Callable[[str], str],
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._allowed = self.limits.with_margin()
        self._journal, self._has_certificate = journal, has_certificate
        self._registered = registered
        self._orders: deque[Order] = deque()  # oldest first
        self._recent: deque[Order] = deque()  # of three hours
        self._pending: deque[Order] = deque()
        self._of_name: dict[str, list[Order]] = {}
        self._of_domain: Counter[str] = Counter()  # orders that did not fail
        self._strange: Counter[str] = Counter()  # those of them that anybody could have made up
        self._settled_at = 0.0
        self._is_torn = True  # until it is written anew
        for order in _read(journal):
            self._add(order)

    def refusal(self, name: str, now: float, *, is_strange: bool = False) -> str:
        """Why a new order for this name may not be placed now; empty when it may."""
        self._settle_when_due(now)
        most, domain = self._allowed, self._registered(name)
        of_name = self._of_name.get(name, ())
        if sum(item.result != "failed" for item in of_name) >= most.name_week:
            return f"{name} had {self.limits.name_week} certificates in 7 days, or nearly"
        failed = sum(item.at > now - HOUR and item.result != "issued" for item in of_name)
        if failed >= most.name_hour:
            return f"{name} failed to get one {most.name_hour} times within the hour"
        if self._of_domain[domain] >= most.domain_week:
            return f"{domain} is close to {self.limits.domain_week} new certificates in 7 days"
        if is_strange and self._strange[domain] >= max(1, most.domain_week // 2):
            return f"names that only a suffix of {domain} lets in have had their half of 7 days"
        if len(self._recent) >= most.account_three_hours:
            limit = self.limits.account_three_hours
            return f"this account is close to {limit} orders in 3 hours"
        return ""

    def is_pending(self, name: str, now: float) -> bool:
        """Whether an order for the name runs: every handshake that waits for it asks again."""
        return any(
            item.result == "pending" and item.at > now - PENDING_SECONDS
            for item in self._of_name.get(name, ())
        )

    def place(self, name: str, now: float, *, is_strange: bool = False) -> Order:
        """Count an order; raises `OSError` for one that cannot be written down, and counts none."""
        order = Order(now, name, self._registered(name), is_strange=is_strange)
        self._append(order)
        self._add(order)
        return order

    def settle(self, now: float) -> None:
        """Find out what became of pending orders; forget those that no limit counts any more."""
        self._settled_at = now
        while self._orders and self._orders[0].at < now - WEEK:
            self._forget(self._orders.popleft())
        while self._recent and self._recent[0].at <= now - 3 * HOUR:
            self._recent.popleft()
        still: deque[Order] = deque()
        for item in self._pending:
            if self._has_certificate(item.name):
                self._end(item, "issued")
            elif item.at <= now - PENDING_SECONDS:
                self._end(item, "failed")
            else:
                still.append(item)
        self._pending = still

    def _settle_when_due(self, now: float) -> None:
        if not self._settled_at <= now < self._settled_at + SETTLE_SECONDS:
            self.settle(now)

    def _add(self, order: Order) -> None:
        self._orders.append(order)
        self._recent.append(order)
        self._of_name.setdefault(order.name, []).append(order)
        if order.result == "pending":
            self._pending.append(order)
        if order.result != "failed":
            self._of_domain[order.domain] += 1
            self._strange[order.domain] += order.is_strange

    def _end(self, order: Order, result: str) -> None:
        order.result = result
        with contextlib.suppress(OSError):  # a restart finds out again
            self._append(order)
        if result == "failed":
            self._uncount(order)

    def _forget(self, order: Order) -> None:
        if order.result != "failed":
            self._uncount(order)
        rest = [item for item in self._of_name.pop(order.name, ()) if item is not order]
        if rest:
            self._of_name[order.name] = rest

    def _uncount(self, order: Order) -> None:
        self._of_domain[order.domain] -= 1
        self._strange[order.domain] -= order.is_strange
        if not self._of_domain[order.domain]:
            del self._of_domain[order.domain], self._strange[order.domain]

    def alerts(self, now: float) -> tuple[str, ...]:
        """What is used to four fifths and more, in words."""
        self._settle_when_due(now)
        most = self.limits.domain_week
        lines = [
            f"{domain}: {count} of {most} certificates of 7 days are used"
            for domain, count in sorted(self._of_domain.items())
            if count >= ALERT_SHARE * most
        ]
        recent = len(self._recent)
        if recent >= ALERT_SHARE * self.limits.account_three_hours:
            lines.append(
                f"{recent} of {self.limits.account_three_hours} orders of 3 hours are used"
            )
        return tuple(lines)

    def counts(self) -> dict[str, int]:
        """Orders of the last seven days by how they ended."""
        found = {"pending": 0, "issued": 0, "failed": 0}
        for item in self._orders:
            found[item.result] += 1
        return found

    def compact(self, now: float) -> None:
        """Write the journal anew without what no limit counts any more; on a full disk it stays."""
        self.settle(now)
        new = self._journal.with_suffix(".new")
        with contextlib.suppress(OSError):
            with new.open("w") as file:
                file.write("".join(map(_line, self._orders)))
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self._journal)
            self._is_torn = False

    def _append(self, order: Order) -> None:
        try:
            with self._journal.open("a") as file:
                file.write(("\n" if self._is_torn else "") + _line(order))
        except OSError:
            self._is_torn = True  # what is there may end anywhere
            raise
        self._is_torn = False


def _line(order: Order) -> str:
    strange = " strange" if order.is_strange else ""
    return f"{order.at:.3f} {order.result} {order.name} {order.domain}{strange}\n"


def _read(journal: Path) -> list[Order]:
    """The last word about each order; a line that was torn is none."""
    found: dict[tuple[str, str], Order] = {}
    try:
        lines = journal.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        words = line.split(" ")
        is_whole = len(words) in (4, 5) and _INSTANT.match(words[0])
        if is_whole and words[1] in ("pending", "issued", "failed"):
            at, result, name, domain, *more = words
            found[at, name] = Order(float(at), name, domain, result, more == ["strange"])
    return sorted(found.values(), key=lambda item: item.at)
