"""Requests that are refused before anything is touched."""

import pytest
from tests.scenario.commands import end
from tests.scenario.dsl import MakeApp
from tests.scenario.server import until

pytestmark = pytest.mark.docker


async def test_of_two_deploys_at_once_one_is_told_who_holds_the_stack(app: MakeApp) -> None:
    shop = app("web", "stage")
    await shop.deploy("v1")
    shop.held()
    first = await shop.start("deploy", shop.stack, "--tag", "v2")
    await until(lambda: shop.containers(2))
    second = await shop.berth("deploy", shop.stack, "--tag", "v3")
    assert second.code == 4, second.said
    assert f"pid {first.pid}, `berth deploy`" in second.err
    await shop.let_go(2)
    done = await end(first)
    assert done.code == 0, done.said
    assert (await shop.ask()).version == "v2"


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        ("privileged: true", "privileged"),
        ('volumes: ["/var/run/docker.sock:/var/run/docker.sock"]', "docker.sock"),
        ("network_mode: host", "host"),
        ("pid: host", "pid"),
        ('volumes: ["/etc:/host:ro"]', "/etc"),
        ('cap_add: ["SYS_ADMIN"]', "SYS_ADMIN"),
    ],
)
async def test_what_could_take_over_the_host_is_refused(
    app: MakeApp, asked: str, rule: str
) -> None:
    shop = app("web")
    shop.edit("compose.yaml", "    environment:\n", f"    {asked}\n    environment:\n")
    done = await shop.deploy("v1", code=2)
    assert rule in done.err
    assert await shop.world() == set()


@pytest.mark.requirement("R315", "R330")
async def test_a_tag_that_moves_is_refused(app: MakeApp) -> None:
    shop = app("web").edit("compose.yaml", "${IMAGE_TAG}", "latest")
    done = await shop.berth("deploy", shop.stack)
    assert (done.code, "latest" in done.err) == (2, True), done.said
    assert await shop.world() == set()


async def test_an_unknown_key_is_named_with_its_line(app: MakeApp) -> None:
    shop = app("web").edit("berth.yaml", "retention:", "retentoin:")
    done = await shop.deploy("v1", code=2)
    assert "berth.yaml:6" in done.err
    assert "did you mean" in done.err


async def test_two_stacks_cannot_answer_the_same_host(app: MakeApp) -> None:
    first, second = app("web"), app("web")
    await first.deploy("v1")
    second.edit("berth.yaml", f"hosts: [{second.host}]", f"hosts: [{first.host}]")
    done = await second.berth("deploy", second.stack, "--tag", "v2")
    assert done.code in (2, 3), done.said
    assert first.stack in done.err or first.project in done.err
    assert (await first.ask()).version == "v1"
    assert await second.world() == set()
