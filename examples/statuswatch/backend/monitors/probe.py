"""One check: a GET, judged by the endpoint's conditions."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings

from monitors import outbound, target
from monitors.conditions import Conditions, find_unmet_or_none

NETWORK_ERROR = "network-error"
BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found."""

    # "200", "error:503", "unmet:body", "network-error" or "blocked"
    status: str
    latency_ms: int | None = None
    certificate_expires_at: datetime | None = None

    @property
    def is_up(self) -> bool:
        """Whether there was an answer as it should be."""
        return self.status.isdecimal()

    @property
    def is_worth_a_retry(self) -> bool:
        """Only a network error may be a hiccup; an HTTP error is an answer."""
        return self.status == NETWORK_ERROR


def probe(url: str, conditions: Conditions | None = None) -> Outcome:
    """Check a URL."""
    wanted = conditions or Conditions()
    try:
        answer = outbound.ask("GET", url, seconds=settings.CHECK_TIMEOUT_SECONDS, wants_body=bool(wanted.body_contains))
    except target.TargetRefused:
        return Outcome(BLOCKED)
    except outbound.NotReached:
        return Outcome(NETWORK_ERROR)
    unmet = find_unmet_or_none(wanted, answer, datetime.now(UTC))
    return Outcome(_name(answer.code, unmet), answer.latency_ms, answer.certificate_expires_at)


def _name(code: int, unmet: str | None) -> str:
    if unmet is None:
        return str(code)
    return f"error:{code}" if unmet == "status" else f"unmet:{unmet}"
