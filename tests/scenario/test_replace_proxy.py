"""The gateway takes the place of a proxy that has its own port, under load, and gives it back."""

import shlex
from collections.abc import AsyncIterator

import pytest
from bench.load import running
from tests.apart import free_ports
from tests.scenario.commands import end, start
from tests.scenario.dsl import MakeApp
from tests.scenario.proxied import Kind, Proxied
from tests.scenario.server import until

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


@pytest.mark.parametrize(
    ("kind", "file", "old"),
    [
        (Kind.NGINX, "proxy.conf", "proxy_pass http://web:8000;"),
        (Kind.CADDY, "Caddyfile", "reverse_proxy web:8000"),
    ],
)
async def test_the_line_that_is_said_makes_the_proxy_pass_requests_to_the_gateway(
    app: MakeApp, kind: Kind, file: str, old: str
) -> None:
    shop = app("proxied")
    (port,) = free_ports(1)
    proxied = Proxied(shop.give(TLS_PORT=str(port)), port, kind)
    try:
        said = (await proxied.set_up()).json()["proxy"]
        assert (said["name"], said["old"]) == (proxied.proxy, old)
        shop.edit(file, old, "\n".join(said["new"]))
        done = await end(await start(*shlex.split(said["then"])))
        assert done.code == 0, done.said
        await shop.deploy("v2")
        await until(lambda: is_second(proxied))
    finally:
        await proxied.tear_down()


async def test_traefik_passes_requests_to_the_gateway_by_a_file_and_never_to_a_release_itself(
    app: MakeApp,
) -> None:
    shop = app("proxied")
    (port,) = free_ports(1)
    proxied = Proxied(shop.give(TLS_PORT=str(port)), port, Kind.TRAEFIK)
    try:
        said = (await proxied.set_up()).json()["proxy"]
        await until(lambda: is_first(proxied))
        async with running(proxied.load(keeps_alive=False)) as visitors:
            await shop.deploy("v2")  # whose containers have no label of Traefik
            assert await proxied.version() == "v1"
            (proxied.dynamic / "berth.yml").write_text("\n".join(said["new"]))
            await until(lambda: is_second(proxied))
        assert set(visitors.statuses) == {200}, visitors.summary()
        assert visitors.lost == 0, visitors.summary()
    finally:
        await proxied.tear_down()


async def is_first(proxied: Proxied) -> bool:
    return await proxied.version() == "v1"


async def is_second(proxied: Proxied) -> bool:
    return await proxied.version() == "v2"


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


@pytest.mark.parametrize("kind", [Kind.CADDY, Kind.TRAEFIK, Kind.PLAIN])
async def test_a_proxy_of_another_kind_is_replaced_too_and_comes_back(
    app: MakeApp, kind: Kind
) -> None:
    shop = app("proxied")
    (port,) = free_ports(1)
    proxied = Proxied(shop.give(TLS_PORT=str(port)), port, kind)
    try:
        await proxied.set_up()
        await until(lambda: is_first(proxied))
        before = await proxied.seen()
        if kind is not Kind.PLAIN:
            await proxied.bring_certificate()
        async with (
            running(proxied.load(keeps_alive=False)) as fresh,
            running(proxied.load(keeps_alive=True)) as kept,
        ):
            done = await proxied.replace()
            assert done.code == 0, done.said
            assert "measured: 0 of" in done.out
            assert not (await proxied.seen())["State"]["Running"]
            back = await shop.done("adopt", proxied.project, shop.stack, "--undo")
            assert "answers again, as before" in back.out
        assert await proxied.seen() == before
        assert fresh.lost == 0, fresh.summary()
        assert set(fresh.statuses) == {200}, fresh.summary()
        assert kept.lost <= 8, kept.summary()  # one a client for each of two closings
        assert await proxied.redirects() == []
    finally:
        await proxied.tear_down()


async def test_a_hand_over_that_is_killed_is_reversed_and_somebody_answers_all_the_time(
    proxied: Proxied,
) -> None:
    shop, before = proxied.app, await proxied.seen()
    await proxied.bring_certificate()
    async with running(proxied.load(keeps_alive=False)) as fresh:
        for place in (
            "RedirectPorts:after",
            "StopProxy:after_unrecorded",
            "6:after_unrecorded",
            "8:before",
        ):
            killed = await proxied.replace(env={"BERTHMASTER_FAILPOINT": place})
            assert killed.code == -9, killed.said
            told = await shop.done("tick")
            assert "had been killed; it is reversed" in told.said
            assert await proxied.seen() == before
            assert await proxied.redirects() == []
        assert (await proxied.replace()).code == 0
        for place in ("StartProxy:after_unrecorded", "5:after"):
            env = {"BERTHMASTER_FAILPOINT": place}
            assert (await proxied.replace("--undo", env=env)).code == -9
            await shop.done("tick")
            assert not (await proxied.seen())["State"]["Running"]
        assert (await proxied.replace("--undo")).code == 0
    assert await proxied.seen() == before
    assert fresh.lost == 0, fresh.summary()
