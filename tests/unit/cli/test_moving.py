"""`berth tenant move` and `--server`: what a person reads, and where a tenant goes."""

from pathlib import Path

import pytest
from tests.unit.cli.customers import BERTHFILE, Customers

from berthmaster.cli import elsewhere, moving
from berthmaster.ports.servers import Said
from berthmaster.testing.servers import FakeServers, HeldTenant

NAME = "desk@prod/acme"
SERVERS = "  servers: {web1: {region: eu}, web2: {region: eu, tier: gold}, web3: {region: us}}\n"


class Listing(FakeServers):
    """Servers that say how many tenants they have."""

    def ask(
        self, server: str, *words: str, given: Path | None = None, taken: Path | None = None
    ) -> Said:
        if words[:2] == ("tenant", "list"):
            rows = ", ".join('{"tenant": "x"}' for _ in self.tenants[server])
            return Said(0, f'{{"tenants": [{rows}]}}')
        return super().ask(server, *words, given=given, taken=taken)


@pytest.fixture
def far(customers: Customers, monkeypatch: pytest.MonkeyPatch) -> Listing:
    held = {NAME: HeldTenant(data="of acme"), "desk@prod/beta": HeldTenant()}
    made = Listing({"web1": held, "web2": {}, "web3": {}})
    monkeypatch.setattr(moving, "SshServers", lambda invocation: made)
    customers.write("berth.yaml", BERTHFILE.replace("  sizes:", f"{SERVERS}  sizes:"))
    return made


def test_a_move_tells_its_plan_its_gap_and_what_dns_must_say(
    customers: Customers, far: Listing
) -> None:
    words = ("tenant", "move", "prod/acme", "--from", "web1", "--to", "web2")
    planned = customers.good(*words, "--plan")
    assert "move web1 -> web2" in planned.err
    assert "gap: from #1 until DNS leads to the new server" in planned.err
    assert far.tenants["web2"] == {}
    done = customers.good(*words)
    assert "serves on web2" in done.out
    assert "DNS: acme.clients.test must lead to web2" in done.out
    again = customers.good(*words, "--json").json
    assert (again["phase"], again["hosts"]) == ("arrived", ["acme.clients.test"])
    assert "its name was not given" in customers.refused(*words, "--finish")
    assert NAME in far.tenants["web1"]
    ended = customers.good(*words, "--finish", "--confirm", NAME)
    assert "is on web2 only" in ended.out
    assert NAME not in far.tenants["web1"]


@pytest.mark.parametrize(
    ("place", "server"),
    [
        ("web3", "web3"),
        ("region=us", "web3"),
        ("region=eu", "web2"),
        ("region=eu,tier=gold", "web2"),
    ],
)
def test_a_new_tenant_goes_where_its_labels_say_and_where_fewest_are(
    customers: Customers, far: Listing, monkeypatch: pytest.MonkeyPatch, place: str, server: str
) -> None:
    went: list[tuple[str, tuple[str, ...]]] = []

    def run_on(invocation: object, command: str, name: str) -> int:
        went.append((name, getattr(invocation, "arguments", ())))
        return 0

    monkeypatch.setattr(elsewhere, "run_on", run_on)
    for words in (("--server", place), (f"--server={place}",)):
        customers.good("tenant", "add", "prod/gamma", *words, "--tag", "v1")
    assert went == [(server, ("tenant", "add", "prod/gamma", "--tag", "v1"))] * 2
    assert customers.store.tenants() == ()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--server", "web9"), "has no server web9 for tenants"),
        (("--server", "region=mars"), "no server of `tenancy.servers` has region=mars"),
        (("-S", "web1", "--server", "web2"), "leave one out"),
    ],
)
def test_a_place_that_is_none_is_refused(
    customers: Customers, far: Listing, words: tuple[str, ...], why: str
) -> None:
    assert why in customers.refused("tenant", "add", "prod/gamma", *words)


def test_a_move_is_typed_where_both_servers_are_known(customers: Customers, far: Listing) -> None:
    said = customers.refused("-S", "web1", "tenant", "move", "prod/acme", "--to", "web2")
    assert "is not for another server" in said
