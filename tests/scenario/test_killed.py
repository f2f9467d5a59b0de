"""Killed and interrupted deployments: something good serves, and the next command tidies up."""

import signal

import pytest
from tests.scenario.commands import end
from tests.scenario.dsl import App, MakeApp
from tests.scenario.server import until

pytestmark = pytest.mark.docker


async def killed_at(shop: App, failpoint: str) -> None:
    done = await shop.berth(
        "deploy", shop.stack, "--tag", "v2", env={"BERTHMASTER_FAILPOINT": failpoint}
    )
    assert done.code == -signal.SIGKILL, done.said


@pytest.mark.parametrize(
    "failpoint",
    [
        "CreateNetwork:after_unrecorded",
        "StartServices:after_unrecorded",
        "StopContainers:after_unrecorded",
        "Switch:after_unrecorded",
    ],
)
async def test_a_deploy_killed_before_the_point_of_no_return_is_reversed(
    app: MakeApp, failpoint: str
) -> None:
    shop = app("workers", "stage")
    await shop.deploy("v1")
    before = await shop.world()
    async with shop.watched() as seen:
        await killed_at(shop, failpoint)
        done = await shop.done("tick")
    assert "reversed" in done.said
    assert (seen.versions[0], seen.versions[-1], seen.lost) == ("v1", "v1", [])
    assert await shop.world() == before
    assert shop.deployment_states()[-1] == "unwound"
    assert shop.lease_holder() is None
    assert len(await shop.containers(1)) == 3


@pytest.mark.parametrize("failpoint", ["MarkLive:after_unrecorded", "Drain:before"])
async def test_a_deploy_killed_after_it_is_finished(app: MakeApp, failpoint: str) -> None:
    shop = app("web", "stage")
    await shop.deploy("v1")
    async with shop.watched() as seen:
        await killed_at(shop, failpoint)
        done = await shop.done("tick")
    assert "finished" in done.said
    assert (seen.versions, seen.lost) == (["v1", "v2"], [])
    assert shop.deployment_states()[-1] == "succeeded"
    assert shop.lease_holder() is None


async def test_a_killed_undo_is_gone_on_with(app: MakeApp) -> None:
    shop = app("web", "stage")
    await shop.deploy("v1")
    before = await shop.world()
    shop.give(BROKEN="crash")
    async with shop.watched() as seen:
        await killed_at(shop, "undo:RemoveContainers:after_unrecorded")
        await shop.done("tick")
    assert (seen.versions, seen.lost) == (["v1"], [])
    assert await shop.world() == before
    assert shop.deployment_states()[-1] == "unwound"


async def test_the_next_deploy_recovers_by_itself(app: MakeApp) -> None:
    shop = app("web", "stage")
    await shop.deploy("v1")
    await killed_at(shop, "StartServices:after_unrecorded")
    async with shop.watched() as seen:
        await shop.deploy("v2")
    assert (seen.versions, seen.lost) == (["v1", "v2"], [])
    assert shop.deployment_states() == ["succeeded", "unwound", "succeeded"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_deploy_reverses_itself(app: MakeApp, number: signal.Signals) -> None:
    shop = app("web", "stage")
    await shop.deploy("v1")
    before = await shop.world()
    shop.give(BROKEN="slow_start")
    async with shop.watched() as seen:
        process = await shop.start("deploy", shop.stack, "--tag", "v2")
        await until(lambda: shop.containers(2))
        process.send_signal(number)
        done = await end(process)
    assert done.code == 130, done.said
    assert (seen.versions, seen.lost) == (["v1"], [])
    assert await shop.world() == before
    assert shop.lease_holder() is None
    assert shop.deployment_states()[-1] == "unwound"
