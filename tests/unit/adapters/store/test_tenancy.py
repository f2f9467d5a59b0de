"""Tenants and domains: one host for one tenant, one primary host each, hosts that are a stack's."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests import builders
from tests.unit.adapters.store.support import SetClock, make_store

from berthmaster.adapters.store import SqliteStore
from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.tenancy import Domain, Proof, Tenant, TenantState, tenant_hosts

ACME = StackId("shop", "prod", "acme")
BETA = StackId("shop", "prod", "beta")
POOL = StackId("chat", "prod")


@pytest.fixture
def store() -> SqliteStore:
    return make_store(":memory:", SetClock())


def hosts(store: SqliteStore, stack: StackId) -> tuple[str, ...]:
    return tenant_hosts(store.domains(stack))


def test_a_tenant_comes_back_as_it_was_saved(store: SqliteStore) -> None:
    at = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
    full = Tenant(
        ACME,
        TenantState.REMOVED,
        {"PLAN": "gold"},
        "small",
        at,
        "waits for a contract",
        {"region": "eu"},
        at,
        "ann",
        at,
        ("acme.shop.test",),
        "acme-1",
    )
    store.save_tenant(full)
    assert store.tenant(ACME) == full
    store.save_tenant(replace(full, state=TenantState.ACTIVE, size=None))
    assert store.tenant(ACME) == replace(full, state=TenantState.ACTIVE, size=None)
    store.forget_tenant(ACME)
    assert store.tenant(ACME) is None


def test_tenants_are_listed_by_app_and_environment(store: SqliteStore) -> None:
    others = StackId("shop", "stage", "acme"), StackId("chat", "prod", "acme")
    for stack in (BETA, *others, ACME):
        store.save_tenant(Tenant(stack))
    assert [item.stack for item in store.tenants("shop", "prod")] == [ACME, BETA]
    assert len(store.tenants("shop")) == 3
    assert len(store.tenants()) == 4


def test_a_host_belongs_to_one_tenant_over_all_stacks(store: SqliteStore) -> None:
    store.add_domain(Domain("acme.example.com", ACME, "acme"))
    store.add_domain(Domain("acme.example.com", ACME, "acme"))
    with pytest.raises(NotAllowed, match=r"acme\.example\.com belongs to shop@prod/acme"):
        store.add_domain(Domain("acme.example.com", BETA, "beta"))
    store.add_domain(Domain("one.example.com", POOL, "one"))
    with pytest.raises(NotAllowed, match="belongs to one of chat@prod"):
        store.add_domain(Domain("one.example.com", POOL, "two"))


def test_the_first_host_is_primary_and_there_is_only_one(store: SqliteStore) -> None:
    for host in ("b.example.com", "a.example.com", "c.example.com"):
        store.add_domain(Domain(host, ACME, "acme"))
    store.add_domain(Domain("beta.example.com", BETA, "beta"))
    assert hosts(store, ACME) == ("b.example.com", "a.example.com", "c.example.com")
    store.set_primary("c.example.com")
    assert hosts(store, ACME) == ("c.example.com", "a.example.com", "b.example.com")
    store.add_domain(Domain("d.example.com", ACME, "acme", is_primary=True))
    assert hosts(store, ACME)[0] == "d.example.com"
    assert sum(item.is_primary for item in store.domains(ACME)) == 1
    assert store.domains(BETA)[0].is_primary
    with pytest.raises(NotFound):
        store.set_primary("nobody.example.com")


def test_a_domain_that_nobody_proved_is_not_routed(store: SqliteStore) -> None:
    store.add_domain(Domain("acme.shop.test", ACME, "acme"))
    own = Domain("www.acme.test", ACME, "acme", is_custom=True, proof=Proof.PENDING, token="t")
    store.add_domain(own)
    assert hosts(store, ACME) == ("acme.shop.test",)
    store.set_proof("www.acme.test", Proof.PROVEN)
    assert hosts(store, ACME) == ("acme.shop.test", "www.acme.test")
    store.remove_domain("acme.shop.test")
    store.remove_domain("acme.shop.test")
    assert hosts(store, ACME) == ("www.acme.test",)


def test_a_tenants_release_has_the_hosts_of_now(store: SqliteStore) -> None:
    store.add_stack(ACME, "/srv/shop")
    made = replace(builders.release(1), stack=ACME, hosts=("old.shop.test",))
    store.add_release(made)
    assert store.release(ACME, 1) == replace(made, created_at=SetClock().now())
    store.add_domain(Domain("acme.shop.test", ACME, "acme"))
    store.add_domain(Domain("own.test", ACME, "acme", proof=Proof.PENDING))
    found = store.release(ACME, 1)
    assert found is not None
    assert found.hosts == ("acme.shop.test",)
    store.add_release(made)  # recorded as it was: the same again is once


def test_a_pooled_stacks_release_keeps_its_own_hosts(store: SqliteStore) -> None:
    store.add_stack(POOL, "/srv/chat")
    store.add_release(replace(builders.release(1), stack=POOL, hosts=("*.chat.test",)))
    store.add_domain(Domain("acme.test", POOL, "acme"))
    found = store.release(POOL, 1)
    assert found is not None
    assert found.hosts == ("*.chat.test",)
