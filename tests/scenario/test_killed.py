"""Killed and interrupted deployments: something good serves, and the next command tidies up."""

import asyncio
import os
import signal

import pytest
from tests.scenario.commands import docker, end
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_an_interrupted_deploy_reverses_itself(app: MakeApp, number: signal.Signals) -> None:
    shop = app("web", "stage")
    await shop.deploy("v1")
    before = await shop.world()
    shop.held()
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


async def test_a_second_ctrl_c_does_not_cut_the_reversal_short(app: MakeApp) -> None:
    shop = app("workers", "stage")
    await shop.deploy("v1")
    before = await shop.world()
    place = {"BERTHMASTER_FAILPOINT": "undo:*:before@int"}
    shop.give(BROKEN_WEB="crash")
    async with shop.watched() as seen:
        done = await shop.berth("deploy", shop.stack, "--tag", "v2", env=place)
    assert done.code == 1, done.said
    assert "the reversal is finished first" in done.err
    assert (seen.versions, seen.lost) == (["v1"], [])
    assert await shop.world() == before
    assert (shop.deployment_states()[-1], shop.lease_holder()) == ("unwound", None)


async def test_ctrl_c_after_the_switch_says_that_the_new_release_serves(app: MakeApp) -> None:
    shop = app("web", "stage")
    await shop.deploy("v1")
    place = {"BERTHMASTER_FAILPOINT": "MarkLive:after@int"}
    async with shop.watched() as seen:
        done = await shop.berth("deploy", shop.stack, "--tag", "v2", env=place)
        assert done.code == 130, done.said
        assert "Release r2 serves" in done.err
        assert "next: berth continue d" in done.err
        await shop.done("tick")
    assert (seen.versions, seen.lost) == (["v1", "v2"], [])
    assert shop.deployment_states()[-1] == "succeeded"


@pytest.mark.parametrize("how", ["kill", "int"])
async def test_a_scheduler_whose_stop_was_cut_short_works_again(app: MakeApp, how: str) -> None:
    """The engine goes on with a stop whose caller is gone: it would end after the undo."""
    shop = app("workers", "stage").edit("compose.yaml", *SLOW_TO_STOP)
    await shop.deploy("v1")
    place = {"BERTHMASTER_FAILPOINT": f"StopContainers:during@{how}"}
    done = await shop.berth("deploy", shop.stack, "--tag", "v2", env=place)
    assert done.code == (-signal.SIGKILL if how == "kill" else 130), done.said
    await shop.done("tick")
    beat = f"{shop.project}-r1-beat-1"
    finished = await docker("inspect", "--format", "{{.State.FinishedAt}}", beat)
    assert not finished.startswith("0001"), "the stop had not begun: nothing was tried"
    assert beat in await shop.containers(1)
    assert shop.deployment_states()[-1] == "unwound"


SLOW_TO_STOP = (
    "    command: [python, /app/app.py, beat]",
    "    command: [sh, -c, \"trap 'sleep 3; exit 0' TERM; while :; do sleep 0.1; done\"]",
)


async def test_a_deploy_whose_terminal_is_lost_reverses_itself(app: MakeApp) -> None:
    """Every write to the terminal fails from then on, and the kernel sends SIGHUP."""
    shop = app("web", "stage")
    await shop.deploy("v1")
    before = await shop.world()
    shop.held()
    ours, theirs = os.openpty()
    words = ("-C", str(shop.folder), "deploy", shop.stack, "--tag", "v2")
    async with shop.watched() as seen:
        process = await shop.server.start_at(theirs, *words)
        os.close(theirs)
        await until(lambda: shop.containers(2))
        os.close(ours)
        await asyncio.wait_for(process.wait(), 120)
    assert process.returncode == 130
    assert (seen.versions, seen.lost) == (["v1"], [])
    assert await shop.world() == before
    assert (shop.deployment_states()[-1], shop.lease_holder()) == ("unwound", None)
    assert not (shop.server.state / "crashes").exists()
