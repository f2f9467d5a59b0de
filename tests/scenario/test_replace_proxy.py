"""The gateway takes the place of a proxy that has its own port, under load, and gives it back."""

from collections.abc import AsyncIterator

import pytest
from bench.load import running
from tests.scenario.dsl import MakeApp
from tests.scenario.proxied import Proxied
from tests.scenario.server import free_ports

pytestmark = pytest.mark.docker


@pytest.fixture
async def proxied(app: MakeApp) -> AsyncIterator[Proxied]:
    shop = app("proxied")
    (port,) = free_ports(1)
    made = Proxied(shop.give(TLS_PORT=str(port)), port)
    try:
        await made.set_up()
        yield made
    finally:
        await made.tear_down()


async def test_the_gateway_takes_the_place_of_a_proxy_and_gives_it_back(proxied: Proxied) -> None:
    shop, before = proxied.app, await proxied.seen()
    refused = await proxied.replace()
    assert (refused.code, "berth cert import" in refused.err) == (2, True)
    await proxied.bring_certificate()
    planned = await proxied.replace("--plan")
    assert planned.code == 0, planned.said
    assert f"nobody answers a new connection to port {proxied.port}: at most 0 s" in planned.out
    assert await proxied.seen() == before
    async with (
        running(proxied.load(keeps_alive=False)) as fresh,
        running(proxied.load(keeps_alive=True)) as kept,
    ):
        done = await proxied.replace()
        assert done.code == 0, done.said
        assert "measured: 0 of" in done.out
        assert not (await proxied.seen())["State"]["Running"]
        assert (await shop.done("gateway", "status")).out.count(str(proxied.port)) == 1
        await shop.done("tick")  # what runs every minute leaves it as it is
        await shop.deploy("v2")
        await shop.done("rollback", shop.stack, "--to", "r0")
        back = await shop.done("adopt", proxied.project, shop.stack, "--undo")
        assert "answers again, as before" in back.out
        assert "is given back as it was" in back.out
    assert await proxied.seen() == before
    assert fresh.lost == 0, fresh.summary()
    assert kept.lost <= 4, kept.summary()  # one for a client whose request crosses with a closing
    assert {"v1", "v2"} <= set(fresh.versions)
    assert await proxied.redirects() == []
    assert await shop.world() == set()
