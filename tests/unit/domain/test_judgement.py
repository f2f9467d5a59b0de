"""The last word of a kind counts, and only about what it was said of."""

from datetime import UTC, datetime

from berthmaster.domain import judgement as judging
from berthmaster.domain.judgement import Judgement, JudgementKind
from berthmaster.domain.names import StackId

STAGE, PROD = StackId("shop", "stage"), StackId("shop", "prod")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def said(
    kind: JudgementKind,
    stack: StackId | None = STAGE,
    artifact: str | None = "a1",
    actor: str = "ann",
) -> Judgement:
    return Judgement(NOON, actor, kind, "shop", stack, artifact)


def test_a_verification_counts_in_its_stack_and_for_its_artifact_only() -> None:
    found = [said(JudgementKind.VERIFIED)]
    assert judging.verification(found, STAGE, "a1") == found[0]
    assert judging.verification(found, PROD, "a1") is None
    assert judging.verification(found, STAGE, "a2") is None


def test_a_condition_that_failed_later_takes_the_verification_back() -> None:
    found = [said(JudgementKind.UNVERIFIED), said(JudgementKind.VERIFIED)]
    assert judging.verification(found, STAGE, "a1") is None
    assert judging.last_look(found, STAGE, "a1") == found[0]


def test_a_rejection_holds_everywhere_until_it_is_taken_back() -> None:
    rejected = said(JudgementKind.REJECTED, None)
    assert judging.rejection([rejected], "a1") == rejected
    assert judging.rejection([said(JudgementKind.UNREJECTED, None), rejected], "a1") is None


def test_a_hold_is_of_one_stack_and_names_who() -> None:
    held = said(JudgementKind.HELD, PROD, None, "bob")
    found = judging.hold_on([held], PROD)
    assert found is not None
    assert found.actor == "bob"
    assert judging.hold_on([held], STAGE) is None
    assert judging.hold_on([said(JudgementKind.UNHELD, PROD, None), held], PROD) is None


def test_approvals_are_counted_by_person() -> None:
    found = [said(JudgementKind.APPROVED, PROD, actor=name) for name in ("bob", "ann")]
    assert [item.actor for item in judging.approvals(found, PROD, "a1")] == ["bob", "ann"]
    assert judging.approvals(found, PROD, "a2") == ()
