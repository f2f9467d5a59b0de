"""The migrations are told as the document tells them, may run twice, and never take a tenant its host."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from tenants.migrations import _domains
from tenants.models import Client, Domain

pytestmark = pytest.mark.django_db
BACKEND = Path(__file__).parent.parent / "backend"
SUFFIX = "statuswatch.kontentwave.digital"
APPS = ["tenants", "monitors", "accounts", "billing"]
FILES = sorted(path for app in APPS for path in (BACKEND / app / "migrations").glob("[0-9]*.py"))
repair = import_module("tenants.migrations.0008_fix_tenant_domains_production")


@pytest.fixture
def production(settings: object) -> None:
    settings.DEFAULT_TENANT_DOMAIN_SUFFIX = SUFFIX


def give_hosts(client: Client, *hosts: str) -> None:
    """Set a tenant's hosts as raw SQL would: the last one is not made the only primary."""
    Domain.objects.filter(tenant=client).delete()
    rows = [Domain(domain=host, tenant=client, is_primary=index == 0) for index, host in enumerate(hosts)]
    Domain.objects.bulk_create(rows)


def hosts_of(client: Client) -> dict[str, bool]:
    return dict(Domain.objects.filter(tenant=client).values_list("domain", "is_primary"))


def run_repair(capsys: pytest.CaptureFixture[str]) -> str:
    repair.forwards(apps, None)
    return capsys.readouterr().out


@pytest.mark.requirement("R180")
def test_the_history_is_the_documents() -> None:
    assert [path.stem for path in FILES if path.parts[-3] == "tenants"] == [
        "0001_initial",
        "0002_add_localhost_domain",
        "0003_add_dev_domains",
        "0004_client_subscription_status",
        "0005_client_stripe_customer_id",
        "0006_alter_client_name",
        "0007_add_loopback_domains",
        "0008_fix_tenant_domains_production",
    ]
    assert [path.stem for path in FILES if path.parts[-3] == "monitors"][:5] == [
        "0001_initial",
        "0002_endpoint_last_enqueued_at",
        "0003_add_performance_indexes",
        "0004_remove_endpoint_indexes",
        "0005_add_optimized_indexes",
    ]


@pytest.mark.requirement("R157", "R190")
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parts[-3]}.{path.stem}")
def test_every_migration_says_what_it_is_for(path: Path) -> None:
    assert re.match(r'""".*Purpose: \S', path.read_text(), re.DOTALL)


@pytest.mark.requirement("R190")
def test_every_migration_can_run_twice(acme: Client) -> None:
    before = structure()
    with connection.cursor() as cursor:
        for schema in ("public", "acme"):
            cursor.execute(f"DELETE FROM {schema}.django_migrations WHERE app = ANY(%s)", [APPS])
    call_command("migrate_schemas", "--shared", verbosity=0)
    call_command("migrate_schemas", "--tenant", "--schema=acme", verbosity=0)
    assert structure() == before


def structure() -> list[tuple[object, ...]]:
    """Return every column and index of the two schemas."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_schema, table_name, column_name, data_type, column_default FROM information_schema.columns"
            " WHERE table_schema IN ('public', 'acme') UNION ALL"
            " SELECT schemaname, tablename, indexname, indexdef, '' FROM pg_indexes"
            " WHERE schemaname IN ('public', 'acme') ORDER BY 1, 2, 3"
        )
        return cursor.fetchall()


@pytest.mark.requirement("R158")
def test_the_promised_index_is_there_and_the_three_are_gone(acme: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'acme' AND tablename = 'monitors_endpoint'")
        names = {name for (name,) in cursor.fetchall()}
    assert "monitors_endpoint_tenant_check_idx" in names
    assert not {"endpoint_last_checked", "endpoint_last_enqueued", "endpoint_created"} & names


@pytest.mark.requirement("R154", "R155", "R156")
def test_hosts_of_localhost_move_to_the_suffix(
    acme: Client, production: None, capsys: pytest.CaptureFixture[str]
) -> None:
    beta = Client.objects.get(schema_name="beta")
    give_hosts(beta, "pokus2.localhost")
    give_hosts(acme, "acme.localhost", f"acme.{SUFFIX}")
    said = run_repair(capsys)
    assert f"Updated domain: pokus2.localhost -> pokus2.{SUFFIX}" in said
    assert f"Skipping acme.localhost - acme.{SUFFIX} already exists" in said
    assert "Updated 1 tenant domain(s)" in said
    assert "Skipped 1 domain(s)" in said
    assert hosts_of(beta) == {f"pokus2.{SUFFIX}": True}
    assert hosts_of(acme) == {f"acme.{SUFFIX}": True}
    again = run_repair(capsys)
    assert "Updated 0" in again
    assert "Skipped 0" in again


@pytest.mark.requirement("R7", "R15", "R16", "R17", "R30", "R31")
def test_hosts_of_staging_go_and_the_canonical_one_is_primary(
    acme: Client, production: None, capsys: pytest.CaptureFixture[str]
) -> None:
    give_hosts(acme, f"acme.staging.{SUFFIX}", f"acme.{SUFFIX}", "status.customer.example")
    run_repair(capsys)
    assert hosts_of(acme) == {f"acme.{SUFFIX}": True, "status.customer.example": False}


def test_the_public_tenant_and_main_are_repaired_too(
    acme: Client, production: None, capsys: pytest.CaptureFixture[str]
) -> None:
    public = Client.objects.get(schema_name="public")
    Client.objects.filter(pk=acme.pk).update(schema_name="main")
    give_hosts(public, "localhost")
    give_hosts(acme, "main.localhost")
    run_repair(capsys)
    assert hosts_of(public) == {SUFFIX: True}
    assert hosts_of(acme) == {f"main.{SUFFIX}": True}


def test_a_host_that_another_tenant_has_is_left_and_named(
    acme: Client, production: None, capsys: pytest.CaptureFixture[str]
) -> None:
    beta = Client.objects.get(schema_name="beta")
    give_hosts(beta, f"acme.{SUFFIX}")
    give_hosts(acme, "acme.localhost")
    assert "already exists at another tenant" in run_repair(capsys)
    assert hosts_of(acme) == {"acme.localhost": True}


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("a.localhost.corp.localhost", f"a.localhost.corp.{SUFFIX}"),  # only the end is changed
        ("my.localhost.example", None),
        (f"acme.{SUFFIX}", None),
        (f"acme.staging.{SUFFIX}", f"acme.{SUFFIX}"),
        ("acme.staging.localhost", f"acme.{SUFFIX}"),
        (f"staging.{SUFFIX}", None),  # an organization may be called so
        ("status.customer.example", None),
    ],
)
def test_only_the_end_of_a_name_is_changed(host: str, wanted: str | None) -> None:
    assert _domains.canonical_or_none(host, SUFFIX) == wanted


@pytest.mark.parametrize("suffix", ["localhost", "statuswatch.localhost"])
def test_on_a_laptop_nothing_is_repaired(
    acme: Client, settings: object, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.DEFAULT_TENANT_DOMAIN_SUFFIX = suffix
    give_hosts(acme, "acme.localhost")
    assert run_repair(capsys) == ""
    assert hosts_of(acme) == {"acme.localhost": True}


@pytest.mark.requirement("R219")
def test_going_back_to_0007_locks_no_tenant_out(acme: Client, production: None) -> None:
    give_hosts(acme, f"acme.{SUFFIX}")
    before = set(Domain.objects.values_list("domain", "is_primary"))
    call_command("migrate_schemas", "tenants", "0007", "--shared", verbosity=0)
    assert set(Domain.objects.values_list("domain", "is_primary")) == before
    call_command("migrate_schemas", "tenants", "--shared", verbosity=0)


@pytest.fixture
def development_hosts(acme: Client) -> list[str]:
    """What the three overlapping migrations add, each run twice."""
    for name in ("0002_add_localhost_domain", "0003_add_dev_domains", "0007_add_loopback_domains") * 2:
        import_module(f"tenants.migrations.{name}").forwards(apps, None)
    return sorted(Domain.objects.filter(is_primary=False).values_list("domain", flat=True))


@pytest.mark.requirement("R157")
def test_a_laptop_gets_its_names_once(settings: object, request: pytest.FixtureRequest) -> None:
    settings.DEFAULT_TENANT_DOMAIN_SUFFIX = "localhost"
    found = request.getfixturevalue("development_hosts")
    assert found == ["127.0.0.1", "acme.statuswatch.local", "localhost", "statuswatch.local"]


@pytest.mark.requirement("R14", "R18")
def test_production_gets_no_name_of_a_laptop(production: None, development_hosts: list[str]) -> None:
    assert development_hosts == []


def test_names_that_differ_in_case_only_are_refused_with_the_remedy(acme: Client) -> None:
    """0006 meets them only before its own constraint is there, so it is taken away first."""
    refuse = import_module("tenants.migrations.0006_alter_client_name").refuse_twins
    refuse(apps, None)
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX client_name_any_case")
    twin = Client(schema_name="twin", name="ACME")
    twin.auto_create_schema = False
    twin.save()
    with pytest.raises(CommandError) as refused:
        refuse(apps, None)
    assert "acme: Acme\n  twin: ACME\n" in str(refused.value)
    assert 'manage.py rename_organization SCHEMA "NEW NAME"' in str(refused.value)
    assert "beta" not in str(refused.value)
    call_command("rename_organization", "twin", "Acme of the north")
    refuse(apps, None)


@pytest.mark.parametrize(("schema", "name"), [("nobody", "New"), ("acme", "BETA")])
def test_a_rename_that_cannot_be_is_refused(acme: Client, schema: str, name: str) -> None:
    with pytest.raises(CommandError):
        call_command("rename_organization", schema, name)
    acme.refresh_from_db()
    assert acme.name == "Acme"


def test_an_organization_may_change_the_case_of_its_own_name(acme: Client) -> None:
    call_command("rename_organization", "acme", "ACME")
    acme.refresh_from_db()
    assert acme.name == "ACME"
