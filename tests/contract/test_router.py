"""What every router does and refuses: the twin in memory and HAProxy with its files."""

from collections.abc import AsyncIterator

import pytest
from tests.gateway import POOL, gateway

from berthmaster.domain.errors import GatewayRefused, LeaseLost, NoAddressLeft
from berthmaster.domain.routing import Backend, HostClaim, Prefix, RouteTable
from berthmaster.ports.router import Router
from berthmaster.testing.router import FakeRouter

STACK = "shop-prod"
OLD, NEW = f"{STACK}/r1", f"{STACK}/r2"
BACKEND = Backend(1, ("10.201.0.2:8000",))
CLAIM = HostClaim("plain", "shop.test", STACK)


@pytest.fixture(params=["fake", pytest.param("haproxy", marks=pytest.mark.docker)])
async def router(request: pytest.FixtureRequest) -> AsyncIterator[Router]:
    if request.param == "fake":
        yield FakeRouter(slot_count=POOL.backends, server_count=POOL.servers_per_backend)
        return
    async with gateway() as made:
        yield made.router


async def attach(router: Router, release: str = OLD, backend: Backend = BACKEND) -> None:
    prefixes = [
        Prefix(release, "/", backend.slot),
        Prefix(release, "/app/", site="web", strip=True),
    ]
    await router.attach(STACK, [backend], prefixes, fence=1)


async def test_a_release_is_attached_switched_to_and_detached(router: Router) -> None:
    await attach(router)
    await attach(router, NEW, Backend(2, ("10.201.0.3:8000", "10.201.0.4:8000")))
    await router.claim_hosts([CLAIM], fence=1)
    await router.switch(STACK, OLD, fence=1)
    await router.switch(STACK, NEW, fence=1)
    await router.detach(STACK, OLD, fence=1)

    table = await router.table()
    assert table.live == {STACK: NEW}
    assert table.hosts == (CLAIM,)
    assert table.backends == (Backend(2, ("10.201.0.3:8000", "10.201.0.4:8000")),)
    assert table.prefixes == (
        Prefix(NEW, "/", 2),
        Prefix(NEW, "/app", site="web", strip=True),
    )
    assert (await router.status()).differences == ()


async def test_who_has_a_host_is_known_without_reading_the_table(router: Router) -> None:
    shared = HostClaim("plain", "*.shop.test", STACK)
    await router.claim_hosts([CLAIM, shared], fence=1)
    assert await router.claims_of("shop.test") == (CLAIM,)
    assert await router.claims_of("*.shop.test") == (shared,)
    assert await router.claims_of("acme.shop.test") == ()
    await router.release_hosts([CLAIM], fence=1)
    assert await router.claims_of("shop.test") == ()


async def test_every_change_may_be_made_twice(router: Router) -> None:
    for _ in range(2):
        await attach(router)
        await router.claim_hosts([CLAIM], fence=1)
        await router.switch(STACK, OLD, fence=1)
        await router.set_maintenance(STACK, True, fence=1)
    before = await router.table()
    assert before.maintenance == {STACK}
    for _ in range(2):
        await router.set_maintenance(STACK, False, fence=1)
        await router.switch(STACK, None, fence=1)
        await router.detach(STACK, OLD, fence=1)
        await router.release_hosts([CLAIM], fence=1)
    assert await router.table() == RouteTable()


async def test_routes_of_single_hosts_come_and_go_with_their_release(router: Router) -> None:
    prefixes = [
        Prefix(OLD, "/", 1),
        Prefix(OLD, "/", site="web", host="shop.test"),
        Prefix(OLD, "/v1", 1, host="*.shop.test"),
    ]
    await router.attach(STACK, [BACKEND], prefixes, fence=1)
    assert set((await router.table()).prefixes) == set(prefixes)
    assert (await router.status()).differences == ()
    await router.attach(STACK, [BACKEND], prefixes[:1], fence=1)
    assert (await router.table()).prefixes == (Prefix(OLD, "/", 1),)
    await router.detach(STACK, OLD, fence=1)
    assert await router.table() == RouteTable()


async def test_a_limit_is_kept_changed_and_taken_away_at_run_time(router: Router) -> None:
    servers = ("10.201.0.2:8000", "10.201.0.3:8000")
    for limit in (8, 9, None, 8):
        limited = Backend(1, servers[: 1 if limit == 9 else 2], limit)
        await attach(router, OLD, limited)
        assert (await router.table()).backends == (limited,)
        assert (await router.status()).differences == ()
    await router.detach(STACK, OLD, fence=1)
    await attach(router, NEW, BACKEND)  # in the same slot
    assert (await router.table()).backends == (BACKEND,)


async def test_the_live_release_is_not_detached(router: Router) -> None:
    await attach(router)
    await router.switch(STACK, OLD, fence=1)
    with pytest.raises(GatewayRefused, match="is live"):
        await router.detach(STACK, OLD, fence=1)
    assert (await router.table()).live == {STACK: OLD}


async def test_a_stale_fence_changes_nothing(router: Router) -> None:
    await attach(router)
    await router.switch(STACK, OLD, fence=5)
    with pytest.raises(LeaseLost):
        await router.switch(STACK, None, fence=4)
    assert (await router.table()).live == {STACK: OLD}


async def test_fences_of_two_stacks_are_their_own(router: Router) -> None:
    await router.claim_hosts([CLAIM], fence=9)
    await router.claim_hosts([HostClaim("plain", "blog.test", "blog-prod")], fence=1)
    assert len((await router.table()).hosts) == 2


async def test_a_host_of_another_stack_is_refused(router: Router) -> None:
    await router.claim_hosts([CLAIM], fence=1)
    with pytest.raises(GatewayRefused, match="belongs to shop-prod"):
        await router.claim_hosts([HostClaim("plain", "shop.test", "blog-prod")], fence=1)


async def test_releasing_another_stacks_host_leaves_it(router: Router) -> None:
    await router.claim_hosts([CLAIM], fence=1)
    await router.release_hosts([HostClaim("plain", "shop.test", "blog-prod")], fence=1)
    assert (await router.table()).hosts == (CLAIM,)


async def test_a_slot_outside_the_pool_is_no_address(router: Router) -> None:
    with pytest.raises(NoAddressLeft, match=r"pool\.backends"):
        await attach(router, OLD, Backend(POOL.backends + 1, ("10.201.0.2:8000",)))


async def test_more_replicas_than_servers_name_the_setting(router: Router) -> None:
    too_many = tuple(f"10.201.0.{number}:8000" for number in range(2, 6))
    with pytest.raises(GatewayRefused, match=r"pool\.servers"):
        await attach(router, OLD, Backend(1, too_many))


async def test_a_slot_that_another_release_holds_is_refused(router: Router) -> None:
    await attach(router)
    with pytest.raises(GatewayRefused, match="held by another release"):
        await attach(router, NEW, BACKEND)


async def test_a_prefix_without_an_upstream_is_refused(router: Router) -> None:
    with pytest.raises(GatewayRefused, match="slot 3 is empty"):
        await router.attach(STACK, [], [Prefix(OLD, "/", 3)], fence=1)


async def test_what_is_not_attached_is_not_switched_to(router: Router) -> None:
    with pytest.raises(GatewayRefused, match="not attached"):
        await router.switch(STACK, NEW, fence=1)


async def test_an_empty_table_does_not_replace_a_full_one(router: Router) -> None:
    await attach(router)
    with pytest.raises(GatewayRefused, match="empty table"):
        await router.replace_table(RouteTable())


async def test_a_whole_table_is_taken_over_with_lower_fences_after(router: Router) -> None:
    await router.claim_hosts([CLAIM], fence=7)
    table = RouteTable(
        hosts=(HostClaim("plain", "*.shop.test", STACK),),
        live={STACK: OLD},
        prefixes=(Prefix(OLD, "/", 1),),
        backends=(BACKEND,),
        maintenance=frozenset({STACK}),
    )
    await router.replace_table(table)
    assert await router.table() == table
    await router.set_maintenance(STACK, False, fence=1)
    assert (await router.table()).maintenance == frozenset()


async def test_nothing_is_in_flight_without_requests(router: Router) -> None:
    await attach(router)
    assert await router.in_flight(OLD) == 0
    assert await router.waiting(OLD) == 0
