from datetime import UTC, datetime, timedelta

import pytest

from monitors.conditions import Answer, Conditions, find_unmet_or_none, parse_statuses

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def answer(code: int = 200, latency_ms: int = 10, body: bytes = b"", days: int | None = None) -> Answer:
    return Answer(code, latency_ms, body, None if days is None else NOW + timedelta(days=days))


@pytest.mark.parametrize(
    ("conditions", "given", "unmet"),
    [
        (Conditions(), answer(399), None),
        (Conditions(), answer(400), "status"),
        (Conditions(expected_status="204,301-302"), answer(302), None),
        (Conditions(expected_status="204,301-302"), answer(200), "status"),
        (Conditions(expected_status="503"), answer(503), None),
        (Conditions(body_contains="grün"), answer(body="alles grün".encode()), None),
        (Conditions(body_contains="grün"), answer(body=b"rot"), "body"),
        (Conditions(max_latency_ms=10), answer(latency_ms=10), None),
        (Conditions(max_latency_ms=10), answer(latency_ms=11), "latency"),
        (Conditions(min_certificate_days=14), answer(days=14), None),
        (Conditions(min_certificate_days=14), answer(days=13), "certificate"),
        (Conditions(min_certificate_days=14), answer(), "certificate"),  # plain http has none
    ],
)
def test_an_answer_is_judged(conditions: Conditions, given: Answer, unmet: str | None) -> None:
    assert find_unmet_or_none(conditions, given, NOW) == unmet


@pytest.mark.parametrize("text", ["", "abc", "99", "600", "300-200", "200,", "200-", "-200", "200-299-300"])
def test_what_is_no_list_of_statuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=".*"):
        parse_statuses(text)
