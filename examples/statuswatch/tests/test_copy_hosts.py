"""`manage.py copy_hosts`, which a rehearsal runs over the data it was given."""

from io import StringIO

from django.core.management import call_command

from tenants.models import Client, Domain


def hosts(client: Client) -> dict[str, bool]:
    return dict(Domain.objects.filter(tenant=client).values_list("domain", "is_primary"))


def test_every_tenant_gets_a_host_of_the_copy_and_keeps_its_own(acme: Client) -> None:
    said = StringIO()
    call_command("copy_hosts", "--suffix", "rehearsal.testserver", stdout=said)
    assert hosts(acme) == {"acme.testserver": False, "acme.rehearsal.testserver": True}
    assert hosts(Client.objects.get(schema_name="public")) == {"testserver": False, "rehearsal.testserver": True}
    assert "acme.testserver is also acme.rehearsal.testserver" in said.getvalue()


def test_a_second_run_changes_nothing(acme: Client) -> None:
    call_command("copy_hosts", "--suffix", "rehearsal.testserver", stdout=StringIO())
    before, said = set(Domain.objects.values_list("domain", "is_primary")), StringIO()
    call_command("copy_hosts", "--suffix", "rehearsal.testserver", stdout=said)
    assert (set(Domain.objects.values_list("domain", "is_primary")), said.getvalue()) == (before, "")


def test_a_tenant_whose_name_in_the_copy_is_taken_keeps_what_it_has(acme: Client) -> None:
    beta = Client.objects.get(schema_name="beta")
    Domain.objects.create(domain="acme.rehearsal.testserver", tenant=beta, is_primary=False)
    call_command("copy_hosts", "--suffix", "rehearsal.testserver", stdout=StringIO())
    assert hosts(acme) == {"acme.testserver": True}
