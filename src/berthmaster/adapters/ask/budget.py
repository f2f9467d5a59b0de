"""How many certificates may still be ordered: refuses before the authority would.

Let's Encrypt's own limits (5 August 2026), each with a margin: one order more is an outage of days
for every name of the domain. What was ordered is in a journal, so that a restart forgets nothing.
A certificate that is there already and is only renewed is not a new order.
"""

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

HOUR: Final = 3600.0
WEEK: Final = 7 * 24 * HOUR
PENDING_SECONDS: Final = 120.0  # after it an order without a certificate has failed
ALERT_SHARE: Final = 0.8


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


@dataclass(frozen=True)
class Order:
    """One certificate that the edge was allowed to ask for."""

    at: float  # seconds since 1970
    name: str
    domain: str  # registered
    result: str = "pending"  # issued, failed


class Budget:
    """Counts orders; `has_certificate` says whether the edge has a name's certificate."""

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
        self._orders: deque[Order] = deque(_read(journal))

    def refusal(self, name: str, now: float) -> str:
        """Why a new order for this name may not be placed now; empty when it may."""
        self.settle(now)
        most, domain = self._allowed, self._registered(name)
        week = [item for item in self._orders if item.result != "failed"]
        of_name = [item for item in self._orders if item.name == name]
        counts = (
            (
                sum(item.name == name for item in week),
                most.name_week,
                f"{name} had {self.limits.name_week} certificates in 7 days, or nearly",
            ),
            (
                sum(item.at > now - HOUR and item.result != "issued" for item in of_name),
                most.name_hour,
                f"{name} failed to get one {most.name_hour} times within the hour",
            ),
            (
                sum(item.domain == domain for item in week),
                most.domain_week,
                f"{domain} is close to {self.limits.domain_week} new certificates in 7 days",
            ),
            (
                sum(item.at > now - 3 * HOUR for item in self._orders),
                most.account_three_hours,
                f"this account is close to {self.limits.account_three_hours} orders in 3 hours",
            ),
        )
        return next((why for count, allowed, why in counts if count >= allowed), "")

    def is_pending(self, name: str, now: float) -> bool:
        """Whether an order for the name runs: every handshake that waits for it asks again."""
        return any(
            item.name == name and item.result == "pending" and item.at > now - PENDING_SECONDS
            for item in reversed(self._orders)
        )

    def place(self, name: str, now: float) -> Order:
        """Count an order."""
        order = Order(now, name, self._registered(name))
        self._orders.append(order)
        self._append(order)
        return order

    def settle(self, now: float) -> None:
        """Find out what became of pending orders; forget those that no limit counts any more."""
        while self._orders and self._orders[0].at < now - WEEK:
            self._orders.popleft()
        for position, item in enumerate(self._orders):
            if item.result != "pending":
                continue
            if self._has_certificate(item.name):
                ended = replace(item, result="issued")
            elif item.at <= now - PENDING_SECONDS:
                ended = replace(item, result="failed")
            else:
                continue
            self._orders[position] = ended
            self._append(ended)

    def alerts(self, now: float) -> tuple[str, ...]:
        """What is used to four fifths and more, in words."""
        self.settle(now)
        used: dict[str, int] = {}
        for item in self._orders:
            if item.result != "failed":
                used[item.domain] = used.get(item.domain, 0) + 1
        most = self.limits.domain_week
        lines = [
            f"{domain}: {count} of {most} certificates of 7 days are used"
            for domain, count in sorted(used.items())
            if count >= ALERT_SHARE * most
        ]
        recent = sum(item.at > now - 3 * HOUR for item in self._orders)
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
        """Write the journal anew without what no limit counts any more."""
        self.settle(now)
        new = self._journal.with_suffix(".new")
        new.write_text("".join(map(_line, self._orders)))
        os.replace(new, self._journal)

    def _append(self, order: Order) -> None:
        with self._journal.open("a") as file:
            file.write(_line(order))


def _line(order: Order) -> str:
    return f"{order.at:.3f} {order.result} {order.name} {order.domain}\n"


def _read(journal: Path) -> list[Order]:
    """The last word about each order; a torn last line is none."""
    found: dict[tuple[str, str], Order] = {}
    try:
        lines = journal.read_text().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        words = line.split(" ")
        if len(words) == 4 and words[1] in ("pending", "issued", "failed"):
            found[words[0], words[2]] = Order(float(words[0]), words[2], words[3], words[1])
    return sorted(found.values(), key=lambda item: item.at)
