"""What an answer must be, beside being an answer: its status, body, time and certificate."""

from dataclasses import dataclass
from datetime import datetime

LOWEST_STATUS, HIGHEST_STATUS = 100, 599


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a user asked for; the defaults accept every status below 400."""

    expected_status: str = ""  # "200,204" or "200-299,401"
    body_contains: str = ""
    max_latency_ms: int | None = None
    min_certificate_days: int | None = None

    def accepts(self, code: int) -> bool:
        """Say whether the status is one of those expected."""
        if not self.expected_status:
            return code < 400
        return any(code in statuses for statuses in parse_statuses(self.expected_status))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    code: int
    latency_ms: int
    body: bytes = b""
    certificate_expires_at: datetime | None = None


def parse_statuses(text: str) -> list[range]:
    """Return the statuses of `200-299,401`; raise ValueError for any other text."""
    found = []
    for item in text.split(","):
        first, dash, last = item.strip().partition("-")
        low = int(first)
        high = int(last) if dash else low
        if not LOWEST_STATUS <= low <= high <= HIGHEST_STATUS:
            raise ValueError(item)
        found.append(range(low, high + 1))
    return found


def find_unmet_or_none(conditions: Conditions, answer: Answer, now: datetime) -> str | None:
    """Return the first condition that the answer does not meet: status, body, latency or certificate."""
    if not conditions.accepts(answer.code):
        return "status"
    if conditions.body_contains.encode() not in answer.body:
        return "body"
    if conditions.max_latency_ms is not None and answer.latency_ms > conditions.max_latency_ms:
        return "latency"
    if conditions.min_certificate_days is not None:
        expires_at = answer.certificate_expires_at
        if expires_at is None or (expires_at - now).days < conditions.min_certificate_days:
            return "certificate"
    return None
