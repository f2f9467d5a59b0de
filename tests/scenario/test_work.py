"""Those who work on a queue and those who may exist once, handed from release to release."""

from itertools import groupby

import pytest
from tests.scenario.dsl import App, MakeApp
from tests.scenario.server import until

pytestmark = pytest.mark.docker


async def beats(shop: App) -> list[str]:
    """Who beat, each as often as it took over."""
    return [name for name, _ in groupby(await shop.redis("LRANGE", "beats", "0", "-1"))]


async def add_tasks(shop: App, first: int, count: int) -> None:
    await shop.redis("RPUSH", "tasks", *(str(number) for number in range(first, first + count)))


async def done_by(shop: App) -> dict[str, list[int]]:
    """Which tasks each version did."""
    found: dict[str, list[int]] = {}
    for line in await shop.redis("LRANGE", "done", "0", "-1"):
        version, task = line.split()
        found.setdefault(version, []).append(int(task))
    return found


async def is_done(shop: App, count: int) -> bool:
    return int((await shop.redis("LLEN", "done"))[0]) >= count


async def is_beating(shop: App, than: int) -> bool:
    return int((await shop.redis("LLEN", "beats"))[0]) > than


async def wait_for_beat(shop: App) -> None:
    count = int((await shop.redis("LLEN", "beats"))[0])
    await until(lambda: is_beating(shop, count))


async def test_work_changes_hands_with_the_release(app: MakeApp) -> None:
    shop = app("workers")
    await shop.deploy("v1")
    await add_tasks(shop, 0, 50)
    await until(lambda: is_done(shop, 50))
    await wait_for_beat(shop)
    state = await shop.started(f"{shop.project}-redis-1")
    await shop.deploy("v2")
    await add_tasks(shop, 50, 50)
    await until(lambda: is_done(shop, 100))
    await wait_for_beat(shop)
    done = await done_by(shop)
    assert done == {"v1": list(range(50)), "v2": list(range(50, 100))}
    assert [name.split()[0] for name in await beats(shop)] == ["v1", "v2"]
    assert await shop.started(f"{shop.project}-redis-1") == state


@pytest.mark.requirement("R24", "R35")
async def test_workers_that_do_not_start_give_the_work_back(app: MakeApp) -> None:
    shop = app("workers")
    await shop.deploy("v1")
    before, state = await shop.world(), await shop.started(f"{shop.project}-redis-1")
    async with shop.watched() as seen:
        done = await shop.give(BROKEN="crash").deploy("v2", code=1)
    assert "worker" in done.err
    await add_tasks(shop, 0, 20)
    await until(lambda: is_done(shop, 20))
    await wait_for_beat(shop)
    assert await done_by(shop) == {"v1": list(range(20))}
    assert {name.split()[0] for name in await beats(shop)} == {"v1"}
    assert len(await beats(shop)) == 1
    assert (seen.versions, seen.lost) == (["v1"], [])
    assert await shop.world() == before
    assert await shop.started(f"{shop.project}-redis-1") == state


async def test_a_warm_rollback_takes_the_work_along(app: MakeApp) -> None:
    shop = app("workers")
    await shop.deploy("v1")
    await shop.deploy("v2")
    async with shop.watched() as seen:
        await shop.done("rollback", shop.stack)
    await add_tasks(shop, 0, 20)
    await until(lambda: is_done(shop, 20))
    await wait_for_beat(shop)
    assert await done_by(shop) == {"v1": list(range(20))}
    assert [name.split()[0] for name in await beats(shop)] == ["v1", "v2", "v1"]
    assert (seen.versions, seen.lost) == (["v2", "v1"], [])
