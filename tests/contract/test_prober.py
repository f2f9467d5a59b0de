"""The prober port: one suite for the in-memory twin and real requests over loopback."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from berthmaster.adapters.http import AiohttpProber
from berthmaster.domain.probing import Fetch, Probe
from berthmaster.ports.prober import Prober
from berthmaster.testing.behaviour import Behaviour
from berthmaster.testing.prober import FakeProber
from berthmaster.testing.world import FakeEngine


@dataclass(slots=True)
class Subject:
    """A prober and a way to say what answers; `probe` asks it."""

    prober: Prober
    address: str
    port: int
    serve: Callable[[Behaviour], Awaitable[None]]
    heads: list[dict[str, str]] = field(default_factory=list)  # of the real ones

    def probe(self, **more: Any) -> Probe:
        values = {"path": "/ready", "host": "shop.test", "timeout_seconds": 20.0, **more}
        return Probe(self.address, values.pop("port", self.port), **values)


@pytest.fixture(params=["twin", "real"])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    if request.param == "twin":
        yield _twin()
        return
    runners: list[web.AppRunner] = []
    listener = socket.create_server(("127.0.0.1", 0))

    async def serve(behaviour: Behaviour) -> None:
        async def answer(asked: web.Request) -> web.Response:
            made.heads.append(dict(asked.headers))
            headers = {"Location": behaviour.location} if behaviour.location else {}
            headers |= {"Content-Type": "text/plain", **behaviour.headers}
            body = behaviour.body.encode()
            return web.Response(status=behaviour.status, body=body, headers=headers)

        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        runners.append(runner)

    made = Subject(AiohttpProber(), "127.0.0.1", listener.getsockname()[1], serve)
    yield made
    for runner in runners:
        await runner.cleanup()
    listener.close()


def _twin() -> Subject:
    world = FakeEngine()

    async def serve(behaviour: Behaviour) -> None:
        image = world.add_image("shop:1")
        made = world.add_container("web", image, addresses={"net": "10.201.0.2"})
        made.behaviour = behaviour
        made.start(world.clock.now())

    return Subject(FakeProber(world), "10.201.0.2", 8000, serve)


@pytest.mark.parametrize(
    ("status", "wants", "is_good"),
    [
        *((200, None, True), (204, None, True), (404, None, False), (500, None, False)),
        *((200, 200, True), (200, 204, False), (404, 404, True)),
    ],
)
async def test_a_status_is_judged(
    subject: Subject, status: int, wants: int | None, is_good: bool
) -> None:
    await subject.serve(Behaviour(status=status))
    result = await subject.prober.probe(subject.probe(wants=wants))
    assert (result.status, result.is_good, bool(result.error)) == (status, is_good, not is_good)


@pytest.mark.parametrize(("text", "is_good"), [("well", True), ("ill", False)])
async def test_the_body_is_looked_at_for_what_it_must_contain(
    subject: Subject, text: str, is_good: bool
) -> None:
    await subject.serve(Behaviour(body="all is well"))
    result = await subject.prober.probe(subject.probe(contains=text))
    assert result.is_good == is_good
    assert result.excerpt == ("" if is_good else "all is well")


async def test_a_redirect_is_an_answer_and_says_where_to(subject: Subject) -> None:
    await subject.serve(Behaviour(status=301, location="https://elsewhere.test/"))
    result = await subject.prober.probe(subject.probe(wants=200))
    assert (result.status, result.location) == (301, "https://elsewhere.test/")
    assert not result.is_good


async def test_a_redirect_to_the_same_place_is_never_good(subject: Subject) -> None:
    location = "https://shop.test/ready"
    await subject.serve(Behaviour(status=301, location=location))
    result = await subject.prober.probe(subject.probe(forwarded_proto="https"))
    assert not result.is_good


async def test_the_body_is_kept_when_it_is_wanted(subject: Subject) -> None:
    await subject.serve(Behaviour(body='{"a": 1}', headers={"Content-Type": "application/json"}))
    kept = await subject.prober.probe(subject.probe(keeps_body=True))
    assert (kept.body, kept.media_type) == ('{"a": 1}', "application/json")
    assert (await subject.prober.probe(subject.probe())).body == ""
    head = await subject.prober.probe(subject.probe(keeps_body=True, method="HEAD"))
    assert (head.status, head.body, head.media_type) == (200, "", "application/json")


async def test_nothing_listening_is_told_apart(subject: Subject) -> None:
    await subject.serve(Behaviour(port=subject.port))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
    result = await subject.prober.probe(subject.probe(port=free))
    assert (result.status, result.is_good, result.refused) == (None, False, True)
    assert str(free) in result.describe()


@pytest.mark.parametrize("status", [200, 401, 404, 500])
async def test_a_whole_answer_is_read_whatever_its_status(subject: Subject, status: int) -> None:
    await subject.serve(Behaviour(status=status, body="[1, 2]"))
    wanted = Fetch(subject.address, subject.port, "/list", "shop.test", token="sesame")
    found = await subject.prober.fetch(wanted)
    assert (found.status, found.body, found.error) == (status, "[1, 2]", "")
    for head in subject.heads:
        assert (head["Host"], head["Authorization"]) == ("shop.test", "Bearer sesame")
    assert "sesame" not in repr(wanted)


async def test_a_redirect_is_not_followed_when_an_answer_is_read(subject: Subject) -> None:
    await subject.serve(Behaviour(status=302, location="http://127.0.0.1:1/"))
    found = await subject.prober.fetch(Fetch(subject.address, subject.port, "/list", "shop.test"))
    assert found.status == 302


async def test_nothing_is_read_where_nothing_listens(subject: Subject) -> None:
    await subject.serve(Behaviour(port=subject.port))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
    found = await subject.prober.fetch(Fetch(subject.address, free, "/list", "shop.test"))
    assert found.status is None
    assert str(free) in found.error


async def test_what_is_sent_is_one_post_of_json() -> None:
    seen: list[tuple[str, str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.method, request.content_type, await request.text()))
        return web.Response(status=409)

    app = web.Application()
    app.router.add_route("*", "/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    wanted = Fetch("127.0.0.1", listener.getsockname()[1], "/", "shop.test", sends='{"a": 1}')
    assert (await AiohttpProber().fetch(wanted)).status == 409
    assert seen == [("POST", "application/json", '{"a": 1}')]
    await runner.cleanup()


async def test_no_more_is_read_than_was_allowed() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="x" * 5000)

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    port = listener.getsockname()[1]
    prober = AiohttpProber()
    for most, is_whole in ((5000, True), (4999, False)):
        found = await prober.fetch(Fetch("127.0.0.1", port, "/", "shop.test", most_bytes=most))
        assert (found.status == 200) is is_whole
        assert bool(found.error) is not is_whole
    await runner.cleanup()
