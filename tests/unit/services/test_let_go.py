"""What was adopted runs on while visitors may reach it past the gateway, and no longer."""

from collections.abc import Callable

import pytest
from tests.builders import SHOP, after_adoption
from tests.unit.engine.worlds import (
    World,
    deploy_beside_the_owners_proxy,
    deploy_over_an_adopted_project,
    empty_world,
    hand_over,
    with_own_proxy,
)

from berthmaster.domain.bypass import Bypass
from berthmaster.domain.container import PublishedPort
from berthmaster.domain.errors import NotAllowed
from berthmaster.ports.progress import Silence
from berthmaster.services.find_bypass import find_bypass
from berthmaster.services.let_go import let_go
from berthmaster.services.tick import tick
from berthmaster.testing.world import FakeContainer

TOWARDS_THE_GATEWAY = b"proxy_pass http://172.28.0.1:8443;"


async def deployed() -> World:
    world = empty_world()
    await world.carry_out(await deploy_over_an_adopted_project(world))
    return world


async def beside_a_proxy() -> World:
    world = empty_world()
    await world.carry_out(await deploy_beside_the_owners_proxy(world))
    return world


async def bypass(world: World) -> Bypass:
    release = world.outside.store.release(SHOP, 0)
    assert release
    return await find_bypass(world.outside, release)


def web(world: World) -> FakeContainer:
    return world.engine.containers["old-web-1"]


async def after_its_warm_time(world: World) -> tuple[str, ...]:
    await world.outside.clock.sleep(601)
    return await tick(world.outside, Silence())


async def test_without_another_way_in_it_is_stopped_after_its_warm_time() -> None:
    world = await deployed()
    assert await bypass(world) == Bypass()
    assert "r0 was kept warm long enough" in " ".join(await after_its_warm_time(world))
    assert web(world).state == "exited"


async def test_a_proxy_that_passes_requests_to_it_keeps_it_and_the_next_deploy_does_too() -> None:
    world = await beside_a_proxy()
    assert (await bypass(world)).seen == (
        "old-proxy-1 (nginx) passes requests to it: in /etc/nginx/nginx.conf, line 1:"
        " proxy_pass http://old-web-1:8000;",
    )
    assert await after_its_warm_time(world) == ()
    plan = await world.plan_deploy(after_adoption(2))
    assert plan.notes[-1].endswith("once nobody does: berth adopt old shop@prod --let-go")
    await world.carry_out(plan)
    await world.deploy(after_adoption(3))
    assert web(world).state == "running"
    assert "shop-prod-r1-web-1" not in world.engine.containers  # ours is retired as ever


async def test_once_the_proxy_asks_the_gateway_it_is_stopped_by_housekeeping() -> None:
    world = await beside_a_proxy()
    assert await after_its_warm_time(world) == ()
    with_own_proxy(world, TOWARDS_THE_GATEWAY)
    assert "it is retired" in " ".join(await tick(world.outside, Silence()))
    assert web(world).state == "exited"


@pytest.mark.parametrize(
    ("change", "seen", "possible"),
    [
        (
            lambda item: setattr(
                item, "published", (PublishedPort(8090, 8000, "tcp", "127.0.0.1"),)
            ),
            (),
            ("port 127.0.0.1:8090 leads to it",),
        ),
        (lambda item: setattr(item, "callers", ("172.28.0.99",)), ("172.28.0.99 asks",), ()),
        (lambda item: setattr(item, "callers", ("127.0.0.1", "10.201.100.1")), (), ()),
        (lambda item: setattr(item, "callers", ("172.28.0.11",)), (), ()),  # one of its own
    ],
)
async def test_a_published_port_may_be_used_and_a_caller_is_seen(
    change: Callable[[FakeContainer], None], seen: tuple[str, ...], possible: tuple[str, ...]
) -> None:
    world = await deployed()
    change(web(world))
    found = await bypass(world)
    assert [line.partition(" old-web-1")[0] for line in found.seen] == list(seen)
    assert found.possible == possible


@pytest.mark.parametrize(
    ("image", "config", "is_possible"),
    [
        ("nginx:1.27", b"set $up web; proxy_pass http://$up;", True),
        ("nginx:1.27", TOWARDS_THE_GATEWAY, False),
        ("nginx:1.27", b"", True),
        ("traefik:v3", b"", True),
        ("somebody/worker:1", b"", False),
    ],
)
async def test_a_configuration_that_is_not_understood_counts_as_a_way(
    image: str, config: bytes, is_possible: bool
) -> None:
    world = await deployed()
    with_own_proxy(world, config)
    proxy = world.engine.containers["old-proxy-1"]
    proxy.image, proxy.published = image, ()
    found = await bypass(world)
    assert (found.seen, bool(found.possible)) == ((), is_possible)


async def test_behind_the_gateway_in_the_proxys_place_nobody_comes_past_it() -> None:
    world = empty_world()
    await world.carry_out(await hand_over(world))
    web(world).published = (PublishedPort(8090, 8000, "tcp", "127.0.0.1"),)
    assert await bypass(world) == Bypass()


async def test_letting_go_is_refused_while_somebody_asks_it_unless_a_reason_is_given() -> None:
    world = await beside_a_proxy()
    with pytest.raises(NotAllowed, match=r"old-proxy-1 \(nginx\) passes requests to it"):
        await let_go(world.outside, SHOP, "old", Silence(), despite=None)
    assert web(world).state == "running"
    await let_go(world.outside, SHOP, "old", Silence(), despite="it goes, too")
    assert web(world).state == "exited"
    assert any(
        (item.what, item.detail) == ("let_go_despite", "it goes, too")
        for item in world.outside.store.events(SHOP)
    )
    with pytest.raises(NotAllowed, match="stopped already"):
        await let_go(world.outside, SHOP, "old", Silence(), despite=None)


async def test_what_cannot_be_seen_is_the_owners_word() -> None:
    world = await deployed()
    web(world).published = (PublishedPort(8090, 8000),)
    assert await after_its_warm_time(world) == ()
    await let_go(world.outside, SHOP, "old", Silence(), despite=None)
    assert web(world).state == "exited"
