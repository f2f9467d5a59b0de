"""One line of the status page: a bar per recent result, its height the latency."""

from dataclasses import dataclass

from monitors.history import Result, share
from monitors.models import PENDING, Endpoint

RESULTS_SHOWN = 40
BAR_WIDTH, BAR_HEIGHT = 5, 28


@dataclass(frozen=True, slots=True)
class Bar:
    """A result as a rectangle."""

    x: int
    y: int
    height: int
    state: str
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    """An endpoint as the page shows it."""

    endpoint: Endpoint
    results: list[Result]  # newest first
    is_paused: bool = False

    @property
    def state(self) -> str:
        """One of up, down, pending, paused."""
        return state_of(self.endpoint, is_paused=self.is_paused)

    @property
    def uptime(self) -> str:
        """Percent of the shown results that were up."""
        return share(sum(result.is_up for result in self.results), len(self.results))

    @property
    def bars(self) -> list[Bar]:
        """Oldest first, right aligned."""
        results = self.results
        slowest = max((result.latency_ms or 0 for result in results), default=0) or 1
        first = RESULTS_SHOWN - len(results)
        return [_bar(first + index, result, slowest) for index, result in enumerate(reversed(results))]


def state_of(endpoint: Endpoint, *, is_paused: bool) -> str:
    """Return one of up, down, pending, paused."""
    if is_paused:
        return "paused"
    if endpoint.last_status == PENDING:
        return "pending"
    return "up" if endpoint.is_up else "down"


def _bar(position: int, result: Result, slowest_ms: int) -> Bar:
    height = 4 + round((BAR_HEIGHT - 4) * (result.latency_ms or 0) / slowest_ms) if result.is_up else BAR_HEIGHT
    title = f"{result.checked_at:%H:%M:%S} {result.status}"
    return Bar(position * BAR_WIDTH, BAR_HEIGHT - height, height, "up" if result.is_up else "down", title)
