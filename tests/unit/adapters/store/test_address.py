"""Addresses: never two owners of one, lowest first, the same again."""

from collections.abc import Sequence
from ipaddress import IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.adapters.store.support import BLOCK, SHOP, add_releases, make_store

from berthmaster.adapters.store import SqliteStore
from berthmaster.domain.errors import NoAddressLeft

NETWORKS = st.builds(
    lambda base, prefix: str(IPv4Network((int(IPv4Network(BLOCK)[0]) - 256 + base, prefix), False)),
    st.integers(0, 767),
    st.integers(24, 32),
)
OWNERS = st.lists(st.sampled_from("abcdefghij"), max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(OWNERS, st.lists(NETWORKS, max_size=4)), max_size=4))
def test_given_subnets_never_overlap_each_other_or_what_is_taken(
    requests: list[tuple[list[str], list[str]]],
) -> None:
    store = make_store(":memory:")
    for owners, taken in requests:
        before = store.subnets()
        try:
            given_now = store.reserve_subnets(owners, taken=taken)
        except NoAddressLeft:
            assert store.subnets() == before
            continue
        assert set(given_now) == set(owners)
        check_subnets(before, store.subnets(), taken)
    store.close()


def check_subnets(before: dict[str, str], after: dict[str, str], taken: Sequence[str]) -> None:
    networks = {owner: IPv4Network(subnet) for owner, subnet in after.items()}
    assert before.items() <= after.items()
    assert all(
        net.prefixlen == 27 and net.subnet_of(IPv4Network(BLOCK)) for net in networks.values()
    )
    pairs = [(a, b) for a in networks for b in networks if a < b]
    assert not any(networks[a].overlaps(networks[b]) for a, b in pairs)
    new = [networks[owner] for owner in after.keys() - before.keys()]
    assert not any(net.overlaps(IPv4Network(other)) for net in new for other in taken)


def test_the_lowest_free_subnet_is_given_and_comes_back_on_removal(store: SqliteStore) -> None:
    taken = ["10.201.0.40/32", "0.0.0.0/0", "fd00::/8"]
    assert store.reserve_subnets(["a", "b"], taken=taken) == {
        "a": "10.201.0.0/27",
        "b": "10.201.0.64/27",
    }
    store.free_subnet("a")
    assert store.reserve_subnets(["b", "c"], taken=taken) == {
        "b": "10.201.0.64/27",
        "c": "10.201.0.0/27",
    }


def test_a_route_over_the_whole_block_is_named(store: SqliteStore) -> None:
    with pytest.raises(NoAddressLeft, match=r"10\.0\.0\.0/8 of this machine covers it"):
        store.reserve_subnets(["a"], taken=["10.0.0.0/8"])


def test_the_default_block_holds_2048_networks() -> None:
    store = make_store(":memory:", block="10.201.0.0/16")
    owners = [f"net{number}" for number in range(2048)]
    assert len(set(store.reserve_subnets(owners, taken=[]).values())) == 2048
    with pytest.raises(NoAddressLeft, match="2048 subnets are given"):
        store.reserve_subnets(["one-more"], taken=[])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3)), max_size=8))
def test_given_slots_never_have_two_owners(requests: list[tuple[str, int]]) -> None:
    store = make_store(":memory:", pool_slots=5)
    held: dict[str, set[int]] = {}
    for owner, count in requests:
        others = set().union(*(slots for name, slots in held.items() if name != owner), set())
        if count == 0:
            store.free_slots(owner)
            held.pop(owner, None)
            continue
        missing = max(0, count - len(held.get(owner, ())))
        if missing > 5 - len(set().union(*held.values(), set())):
            with pytest.raises(NoAddressLeft):
                store.reserve_slots(owner, count)
            continue
        given_now = store.reserve_slots(owner, count)
        assert len(given_now) == count
        assert not others & set(given_now)
        assert held.get(owner, set()) <= set(given_now) or len(held[owner]) > count
        held[owner] = held.get(owner, set()) | set(given_now)
    store.close()


def test_the_lowest_free_slots_are_given_and_the_same_again(store: SqliteStore) -> None:
    assert store.reserve_slots("shop-prod/r6", 2) == (1, 2)
    assert store.reserve_slots("shop-prod/r7", 2) == (3, 4)
    store.free_slots("shop-prod/r6")
    assert store.reserve_slots("shop-prod/r7", 2) == (3, 4)
    assert store.reserve_slots("shop-prod/r8", 1) == (1,)


def test_a_forgotten_stack_gives_its_slots_back_and_no_others(store: SqliteStore) -> None:
    add_releases(store, 6)
    store.reserve_slots("shop-prod/r6", 2)
    store.reserve_slots("shop-prod-acme/r6", 2)
    store.forget_stack(SHOP)
    assert store.reserve_slots("x/r1", 3) == (1, 2, 5)
    with pytest.raises(NoAddressLeft, match="pool of 5 backends has no 1 left"):
        store.reserve_slots("y/r1", 1)
