"""What `berth` says of a project that was adopted."""

import asyncio

from tests.unit.cli.shop import Shop
from tests.unit.engine.worlds import (
    World,
    adoption,
    change_of_an_adopted_database,
    deploy_beside_the_owners_proxy,
    deploy_over_an_adopted_project,
    giving_back,
    with_proxy,
)

from berthmaster.domain.plan import Plan


async def carried_out(world: World, plan: Plan) -> None:
    await world.carry_out(plan)


def test_release_zero_counts_what_was_adopted(shop: Shop) -> None:
    asyncio.run(carried_out(shop.world, asyncio.run(adoption(shop.world))))
    (line,) = shop.berth("status", "--json").json["stacks"]
    assert (line["state"], line["release"]) == ("up", 0)
    assert (line["running"], line["containers"]) == (4, 4)
    assert "r0" in shop.berth("status").out


def test_only_what_was_adopted_can_be_given_back(shop: Shop) -> None:
    asyncio.run(carried_out(shop.world, asyncio.run(deploy_over_an_adopted_project(shop.world))))
    answer = shop.berth("adopt", "old", "shop@prod", "--undo")
    assert answer.code == 2
    assert "r1 serves" in answer.err
    assert "berth rollback shop@prod --to r0" in answer.err


def test_a_database_that_is_ours_by_now_is_not_given_back(shop: Shop) -> None:
    asyncio.run(carried_out(shop.world, asyncio.run(change_of_an_adopted_database(shop.world))))
    assert shop.berth("rollback", "shop@prod", "--to", "r0").code == 0
    answer = shop.berth("adopt", "old", "shop@prod", "--undo")
    assert answer.code == 2
    assert "db was changed since and is Berthmaster's now" in answer.err


def test_giving_back_forgets_the_stack_and_its_plan_changes_nothing(shop: Shop) -> None:
    plan = asyncio.run(giving_back(shop.world))
    before = asyncio.run(shop.world.view())
    shown = shop.berth("adopt", "old", "shop@prod", "--undo", "--plan")
    assert shown.code == 0
    assert plan.steps[-1].what in shown.out
    assert asyncio.run(shop.world.view()) == before
    answer = shop.berth("adopt", "old", "shop@prod", "--undo")
    assert answer.code == 0
    assert "old is given back as it was" in answer.out
    assert "no stacks yet" in shop.berth("status").out


def test_a_stack_that_was_adopted_is_given_back_and_not_destroyed(shop: Shop) -> None:
    asyncio.run(carried_out(shop.world, asyncio.run(adoption(shop.world))))
    before = asyncio.run(shop.world.view())
    answer = shop.berth("destroy", "shop@prod", "--confirm", "shop@prod")
    assert answer.code == 2
    assert "berth adopt old shop@prod --undo" in answer.err
    assert asyncio.run(shop.world.view()) == before


def behind_a_proxy(shop: Shop) -> None:
    asyncio.run(carried_out(shop.world, asyncio.run(adoption(shop.world))))
    with_proxy(shop.world)


def test_the_plan_of_replacing_a_proxy_says_the_gap_and_changes_nothing(shop: Shop) -> None:
    behind_a_proxy(shop)
    before = asyncio.run(shop.world.view())
    shown = shop.berth("adopt", "old", "shop@prod", "--replace-proxy", "--plan")
    assert shown.code == 0
    assert "nobody answers a new connection to port 443: at most 0 s" in shown.out
    assert asyncio.run(shop.world.view()) == before


def test_a_proxy_is_replaced_and_what_was_measured_is_said(shop: Shop) -> None:
    behind_a_proxy(shop)
    before = asyncio.run(shop.world.view())
    answer = shop.berth("adopt", "old", "shop@prod", "--replace-proxy", "--proxy", "proxy")
    assert answer.code == 0
    assert "the gateway answers in the place of old-proxy-1 (d2)" in answer.out
    assert "measured: 0 of" in answer.out
    assert "berth adopt old shop@prod --replace-proxy --undo" in answer.err
    said = shop.berth("adopt", "old", "shop@prod", "--replace-proxy", "--undo", "--json").json
    assert (said["proxy"], said["lost"], said["deployment"]) == ("old-proxy-1", 0, "d3")
    assert asyncio.run(shop.world.view()) == before


def test_giving_the_project_back_gives_the_proxy_back_first(shop: Shop) -> None:
    behind_a_proxy(shop)
    assert shop.berth("adopt", "old", "shop@prod", "--replace-proxy").code == 0
    said = shop.berth("adopt", "old", "shop@prod", "--undo", "--json").json
    assert (said["given_back"], said["proxy"]["proxy"]) == ("old", "old-proxy-1")
    assert shop.world.engine.containers["old-proxy-1"].state == "running"
    assert shop.world.gateway.taken is None


def test_a_project_that_cannot_be_given_back_yet_keeps_the_gateway_in_its_place(
    shop: Shop,
) -> None:
    asyncio.run(carried_out(shop.world, asyncio.run(deploy_over_an_adopted_project(shop.world))))
    with_proxy(shop.world)
    assert shop.berth("adopt", "old", "shop@prod", "--replace-proxy").code == 0
    answer = shop.berth("adopt", "old", "shop@prod", "--undo")
    assert (answer.code, "r1 serves" in answer.err) == (2, True)
    assert shop.world.gateway.taken is not None
    assert shop.berth("adopt", "old", "shop@prod", "--replace-proxy", "--undo").code == 0


def test_what_is_kept_for_who_comes_past_the_gateway_is_said_until_it_is_let_go(shop: Shop) -> None:
    world = shop.world
    asyncio.run(carried_out(world, asyncio.run(deploy_beside_the_owners_proxy(world))))
    (line,) = shop.berth("status", "--json").json["stacks"]
    assert (line["warm"], line["kept"]) == ([0], None)
    world.outside.clock.advance(601)  # type: ignore[attr-defined]
    (line,) = shop.berth("status", "--json").json["stacks"]
    assert line["kept"] == "berth adopt old shop@prod --let-go"
    assert "r0 kept: berth adopt old shop@prod --let-go" in shop.berth("status").out
    assert "as long as visitors may reach it" in shop.berth("releases", "shop@prod").out
    words = ("adopt", "old", "shop@prod", "--let-go")
    refused = shop.berth(*words)
    assert (refused.code, "proxy_pass http://old-web-1:8000" in refused.err) == (2, True)
    assert "stop containers, keep them" in shop.berth(*words, "--despite", "why", "--plan").out
    assert "its containers are kept" in shop.berth(*words, "--despite", "the proxy goes").out
    assert shop.berth("status", "--json").json["stacks"][0]["kept"] is None


def test_options_of_letting_go_need_it_and_it_goes_alone(shop: Shop) -> None:
    for words, said in (
        (("--despite", "why"), "--let-go"),
        (("--let-go", "--undo"), "goes alone"),
        (("--let-go", "--despite", " "), "wants a reason"),
    ):
        answer = shop.berth("adopt", "old", "shop@prod", *words)
        assert (answer.code, said in answer.err) == (2, True)


def test_options_of_the_proxy_need_the_option_that_they_are_about(shop: Shop) -> None:
    answer = shop.berth("adopt", "old", "shop@prod", "--proxy", "nginx")
    assert (answer.code, "--replace-proxy" in answer.err) == (2, True)
