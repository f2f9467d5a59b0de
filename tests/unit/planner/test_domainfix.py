import pytest

from berthmaster.domain.domainpolicy import DomainPolicy, DomainRow, check_rows
from berthmaster.planner.domainfix import DomainFix, plan_domain_fix

SUFFIX = "statuswatch.kontentwave.digital"
POLICY = DomainPolicy(SUFFIX)


def row(number: int, domain: str, tenant: str, *, is_primary: bool = True) -> DomainRow:
    return DomainRow(str(number), domain, is_primary, tenant)


def applied(rows: tuple[DomainRow, ...], fix: DomainFix) -> tuple[DomainRow, ...]:
    changes = {item.before.id: item.after for item in fix.changes}
    new = (changes.get(item.id, item) for item in rows)
    return tuple(item for item in new if item is not None)


DOCUMENT_001 = (
    row(1, "localhost", "public"),
    row(2, "acme.localhost", "acme", is_primary=False),
    row(3, f"acme.{SUFFIX}", "acme"),
    row(4, "pokus2.localhost", "pokus2"),
    row(5, "main.localhost", "main"),
)
DOCUMENT_000 = (
    row(1, SUFFIX, "public"),
    row(2, f"acme.staging.{SUFFIX}", "acme"),
    row(3, f"acme.{SUFFIX}", "acme", is_primary=False),
    row(4, f"demo.{SUFFIX}", "demo"),
)


@pytest.mark.requirement("R154", "R155")
def test_the_rows_of_document_001_are_one_updated_and_one_skipped() -> None:
    fix = plan_domain_fix(POLICY, DOCUMENT_001)
    assert [(item.before.domain, item.after and item.after.domain) for item in fix.changes] == [
        ("pokus2.localhost", f"pokus2.{SUFFIX}")
    ]
    assert [item.domain for item, _ in fix.skipped] == ["acme.localhost"]
    assert (fix.renamed_count, len(fix.skipped)) == (1, 1)


@pytest.mark.requirement("R15", "R16")
def test_the_rows_of_document_000_lose_staging_and_promote_the_canonical_one() -> None:
    fix = plan_domain_fix(POLICY, DOCUMENT_000)
    after = applied(DOCUMENT_000, fix)
    assert (fix.deleted_count, fix.promoted_count, fix.renamed_count) == (1, 1, 0)
    assert [(item.domain, item.is_primary) for item in after if item.tenant == "acme"] == [
        (f"acme.{SUFFIX}", True)
    ]
    assert check_rows(POLICY, after) == ()


@pytest.mark.parametrize("rows", [DOCUMENT_000, DOCUMENT_001])
def test_a_second_plan_changes_nothing(rows: tuple[DomainRow, ...]) -> None:
    once = applied(rows, plan_domain_fix(POLICY, rows))
    assert plan_domain_fix(POLICY, once).changes == ()


def test_public_and_main_are_never_touched() -> None:
    rows = tuple(
        row(number, domain, tenant)
        for number, (domain, tenant) in enumerate(
            [("localhost", "public"), ("x.localhost", "main"), (f"y.staging.{SUFFIX}", "public")]
        )
    )
    assert plan_domain_fix(POLICY, rows) == DomainFix()


def test_localhost_is_rewritten_at_the_end_of_a_name_only() -> None:
    rows = (row(1, "a.localhost.example.com", "a"), row(2, "b.localhost.localhost", "b"))
    fix = plan_domain_fix(POLICY, rows)
    assert fix.changes == ()
    assert [item.domain for item, _ in fix.skipped] == ["b.localhost.localhost"]


def test_the_only_name_of_a_tenant_is_left_for_a_person() -> None:
    fix = plan_domain_fix(POLICY, (row(1, f"acme.staging.{SUFFIX}", "acme"),))
    assert fix.changes == ()
    assert "the only name that acme has" in fix.skipped[0][1]


def test_two_primary_domains_become_one() -> None:
    rows = (row(1, f"old.{SUFFIX}", "acme"), row(2, f"acme.{SUFFIX}", "acme"))
    after = applied(rows, plan_domain_fix(POLICY, rows))
    assert [(item.domain, item.is_primary) for item in after] == [
        (f"old.{SUFFIX}", False),
        (f"acme.{SUFFIX}", True),
    ]


def test_a_primary_domain_that_is_good_stays_what_it_is() -> None:
    rows = (row(1, f"shop.{SUFFIX}", "acme"), row(2, f"acme.{SUFFIX}", "acme", is_primary=False))
    assert plan_domain_fix(POLICY, rows) == DomainFix()


def test_two_rows_that_want_one_name_do_not_both_get_it() -> None:
    rows = (row(1, "acme.localhost", "acme"), row(2, "acme.localhost", "other"))
    fix = plan_domain_fix(POLICY, rows)
    assert (fix.renamed_count, len(fix.skipped)) == (1, 1)


def test_what_frees_a_name_or_the_flag_comes_first() -> None:
    fix = plan_domain_fix(POLICY, DOCUMENT_000)
    assert [item.after is None for item in fix.changes] == [True, False]


def test_a_name_that_only_begins_like_a_forbidden_part_is_not_deleted() -> None:
    policy = DomainPolicy(SUFFIX, forbidden=(".test",), may_be_custom=True)
    rows = (
        row(1, f"acme.{SUFFIX}", "acme"),
        row(2, "shop.testing.de", "acme", is_primary=False),
    )
    assert plan_domain_fix(policy, rows).changes == ()
