import pytest

from berthmaster.domain.domainpolicy import DomainPolicy, DomainRow, check_rows

SUFFIX = "statuswatch.kontentwave.digital"
POLICY = DomainPolicy(SUFFIX)
CUSTOM = DomainPolicy(SUFFIX, may_be_custom=True)


def row(number: int, domain: str, tenant: str = "acme", *, is_primary: bool = True) -> DomainRow:
    return DomainRow(str(number), domain, is_primary, tenant)


def rules(policy: DomainPolicy, *rows: DomainRow) -> list[str]:
    return [item.rule for item in check_rows(policy, rows)]


@pytest.mark.requirement("R14")
def test_a_good_row_breaks_nothing() -> None:
    assert rules(POLICY, row(1, f"acme.{SUFFIX}"), row(2, SUFFIX, "public")) == []


@pytest.mark.parametrize(
    ("domain", "rule"),
    [
        (f"acme.staging.{SUFFIX}", "forbidden"),
        ("acme.localhost", "forbidden"),
        ("localhost", "forbidden"),
        ("acme.example.com", "suffix"),
        (f"acme{SUFFIX}", "suffix"),  # no dot: not below it
        (f"a.b.{SUFFIX}", "depth"),
        (f"www.{SUFFIX}", "reserved"),
        (SUFFIX, "reserved"),
        (f"*.{SUFFIX}", "name"),
        (f"Acme.{SUFFIX}", "name"),
        (f"ac_me.{SUFFIX}", "name"),
        (f"{'a' * 64}.{SUFFIX}", "name"),
        (f"{'a.' * 120}{SUFFIX}", "name"),
        ("аcme.example.com", "name"),  # noqa: RUF001 - Cyrillic
        ("x'; DROP TABLE tenants_domain; --", "name"),
    ],
)
def test_a_bad_name_is_named_with_its_rule(domain: str, rule: str) -> None:
    assert rules(POLICY, row(1, domain)) == [rule]


def test_a_staging_name_that_only_resembles_the_part_is_good() -> None:
    assert rules(POLICY, row(1, f"staging.{SUFFIX}")) == []
    assert rules(POLICY, row(1, f"mystaging.{SUFFIX}")) == []


def test_a_forbidden_part_ends_where_a_label_ends() -> None:
    assert rules(CUSTOM, row(1, "shop.localhosting.de")) == []
    assert rules(CUSTOM, row(1, "shop.localhost.de")) == ["forbidden"]
    policy = DomainPolicy(SUFFIX, forbidden=(".test", "-old"), may_be_custom=True)
    assert rules(policy, row(1, "shop.testing.de")) == []
    assert rules(policy, row(1, "shop-old.acme.de")) == ["forbidden"]


def test_of_two_suffixes_the_longer_one_counts() -> None:
    policy = DomainPolicy(SUFFIX, suffixes=(f"eu.{SUFFIX}",))
    assert rules(policy, row(1, f"acme.eu.{SUFFIX}")) == []
    assert rules(policy, row(1, f"eu.{SUFFIX}")) == ["reserved"]
    (found,) = check_rows(policy, (row(1, f"a.b.eu.{SUFFIX}"),))
    assert (found.rule, f"*.eu.{SUFFIX} covers" in found.what) == ("depth", True)


def test_an_address_is_no_name_of_a_tenant() -> None:
    """Whoever had it would get every request that names no host."""
    assert rules(CUSTOM, row(1, "203.0.113.5")) == ["name"]
    assert rules(CUSTOM, row(1, "5.acme.de")) == []


@pytest.mark.requirement("R31")
def test_each_tenant_has_exactly_one_primary_domain() -> None:
    one, two = row(1, f"acme.{SUFFIX}"), row(2, f"acme2.{SUFFIX}")
    found = check_rows(POLICY, (one, two))
    assert [item.rule for item in found] == ["primary"]
    assert "acme has 2 primary domains" in found[0].what
    assert rules(POLICY, row(1, f"acme.{SUFFIX}", is_primary=False)) == ["primary"]


def test_a_name_belongs_to_one_tenant_over_all_stacks() -> None:
    mine = row(1, f"acme.{SUFFIX}")
    assert rules(POLICY, mine, row(2, f"acme.{SUFFIX}", "other")) == ["unique"]
    found = check_rows(POLICY, (mine,), {f"acme.{SUFFIX}": "shop@prod"})
    assert found[0].what == f"acme.{SUFFIX} belongs to shop@prod"


def test_an_apex_and_its_www_are_one_customers() -> None:
    apex = row(1, "shop.de")
    assert rules(CUSTOM, apex, row(2, "www.shop.de", is_primary=False)) == []
    assert rules(CUSTOM, apex, row(2, "www.shop.de", "other")) == ["apex"]
    assert rules(POLICY, apex) == ["suffix"]


def test_every_violation_names_its_row_and_a_remedy() -> None:
    rows = (row(7, "acme.localhost"), row(8, f"www.{SUFFIX}", "www"))
    for item in check_rows(POLICY, rows):
        assert all((item.rows, item.remedy, item.what))
