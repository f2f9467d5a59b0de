"""The real gateway under real requests: switches, streams, restarts, TLS, headers, sites."""

import asyncio
import itertools
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from bench.load import Load, Tally, run, running
from tests.apart import free_ports
from tests.gateway import HOST, POOL, STACK, Gateway, Upstream, gateway, upstream
from yarl import URL

from berthmaster.adapters.gateway import DockerGateway
from berthmaster.adapters.haproxy import HaproxyRouter
from berthmaster.adapters.haproxy.runtime import Runtime
from berthmaster.domain.errors import GatewayRefused
from berthmaster.domain.hosting import answering
from berthmaster.domain.routing import Backend, Entrypoint, HostClaim, Prefix

pytestmark = pytest.mark.docker


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


@pytest.fixture
async def made() -> AsyncIterator[Gateway]:
    async with gateway() as running_gateway:
        await running_gateway.claim(HOST, f"*.{HOST}")
        yield running_gateway


@pytest.fixture
async def old() -> AsyncIterator[Upstream]:
    async with upstream("old") as one:
        yield one


@pytest.fixture
async def new() -> AsyncIterator[Upstream]:
    async with upstream("new") as one:
        yield one


async def ask(
    made: Gateway,
    path: str = "/",
    *,
    host: str = HOST,
    entrypoint: str = "plain",
    headers: dict[str, str] | None = None,
) -> Answer:
    """One request to an entrypoint with a Host header, no redirect followed."""
    scheme = "https" if entrypoint == "https" else "http"
    connector = aiohttp.TCPConnector(ssl=trusting(made) if scheme == "https" else False)
    async with aiohttp.ClientSession(connector=connector) as session:
        url = URL(f"{scheme}://127.0.0.1:{made.port(entrypoint)}{path}", encoded=True)
        async with session.get(
            url,
            headers={"Host": host, **(headers or {})},
            allow_redirects=False,
            server_hostname=host if scheme == "https" else None,
        ) as answer:
            lower = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, lower, await answer.text())


def trusting(made: Gateway) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(made.ca_file))


async def go_live(made: Gateway, number: int, one: Upstream) -> str:
    release = await made.publish(number, one.address)
    await made.router.switch(STACK, release, fence=1)
    return release


def load(made: Gateway, **changes: object) -> Load:
    given: dict[str, object] = {"clients": 20, "seconds": 60.0, **changes}
    return Load("127.0.0.1", made.port("plain"), HOST, **given)  # type: ignore[arg-type]


@pytest.mark.requirement("R49")
@pytest.mark.parametrize("keeps_alive", [True, False], ids=["keep-alive", "new connections"])
@pytest.mark.parametrize("body", [None, b"x" * 2000], ids=["GET", "POST"])
async def test_no_request_is_lost_over_switches(
    made: Gateway, old: Upstream, new: Upstream, keeps_alive: bool, body: bytes | None
) -> None:
    releases = [await made.publish(1, old.address), await made.publish(2, new.address)]
    await made.router.switch(STACK, releases[0], fence=1)
    async with running(load(made, keeps_alive=keeps_alive, body=body)) as tally:
        for turn in itertools.count(1):
            await made.router.switch(STACK, releases[turn % 2], fence=1)
            await asyncio.sleep(0.05)
            if turn >= 20 and old.count + new.count > 500:
                break
    assert tally.lost == 0, tally.summary()
    assert set(tally.versions) == {"old", "new"}
    assert tally.count > 500


async def test_after_a_switch_nothing_more_comes_to_the_old_release(
    made: Gateway, old: Upstream, new: Upstream
) -> None:
    await go_live(made, 1, old)
    assert (await run(load(made, requests=200))).versions == {"old": 200}
    await go_live(made, 2, new)
    assert (await run(load(made, requests=200))).versions == {"new": 200}


@pytest.mark.parametrize("entrypoint", ["plain", "https"])
async def test_a_request_and_a_socket_in_flight_end_on_the_old_release(
    made: Gateway, old: Upstream, new: Upstream, entrypoint: str
) -> None:
    release = await go_live(made, 1, old)
    await ask(made, entrypoint=entrypoint)  # its certificate
    held = asyncio.create_task(ask(made, "/held", entrypoint=entrypoint))
    await old.begun.wait()
    reader, writer = await open_socket(made, entrypoint)
    await until_in_flight(made, release, 2)

    await go_live(made, 2, new)
    assert (await ask(made)).headers["x-version"] == "new"
    assert await echo(reader, writer, b"still here") == b"still here"
    old.go_on.set()
    assert (await held).headers["x-version"] == "old"
    await until_in_flight(made, release, 1)
    writer.close()
    await until_in_flight(made, release, 0)
    await made.router.detach(STACK, release, fence=1)


async def open_socket(
    made: Gateway, entrypoint: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    is_tls = entrypoint == "https"
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        made.port(entrypoint),
        ssl=trusting(made) if is_tls else None,
        server_hostname=HOST if is_tls else None,
    )
    lines = ["GET /socket HTTP/1.1", f"Host: {HOST}", "Connection: upgrade", "Upgrade: echo"]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    return reader, writer


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bytes:
    writer.write(data)
    return await reader.readexactly(len(data))


async def until_in_flight(made: Gateway, release: str, count: int) -> None:
    """A client may have its answer before the router has closed its books on it."""
    async with asyncio.timeout(60):
        while await made.router.in_flight(release) != count:  # noqa: ASYNC110 - tells nobody
            await asyncio.sleep(0.02)


async def test_three_hundred_clients_get_no_error(made: Gateway, old: Upstream) -> None:
    await go_live(made, 1, old)
    tally: Tally = await run(load(made, clients=300, requests=3000))
    assert tally.lost == 0, tally.summary()
    assert tally.statuses == {200: 3000}


async def test_a_get_on_a_connection_that_died_is_asked_again(made: Gateway) -> None:
    async with upstream("hasty", answers=1) as hasty:
        await go_live(made, 1, hasty)
        tally = await run(load(made, clients=1, requests=20))
    assert tally.statuses == {200: 20}
    assert hasty.dropped


async def test_a_post_that_was_sent_is_never_sent_twice(made: Gateway) -> None:
    async with upstream("hasty", answers=1) as hasty:
        await go_live(made, 1, hasty)
        tally = await run(load(made, clients=1, requests=20, body=b"once"))
    assert tally.lost == len(hasty.dropped) > 0
    assert tally.count == 20


async def test_a_slot_used_again_answers_for_its_new_release(
    made: Gateway, old: Upstream, new: Upstream
) -> None:
    await go_live(made, 1, old)
    await run(load(made, requests=100))
    await made.router.switch(STACK, None, fence=1)
    await made.router.detach(STACK, f"{STACK}/r1", fence=1)
    release = f"{STACK}/r9"
    backend = Backend(1, (new.address,))
    await made.router.attach(STACK, [backend], [Prefix(release, "/", 1)], fence=1)
    await made.router.switch(STACK, release, fence=1)
    assert (await run(load(made, requests=100))).versions == {"new": 100}


async def test_a_killed_gateway_comes_back_with_its_table(made: Gateway, old: Upstream) -> None:
    await go_live(made, 1, old)
    before = await made.router.table()
    for name in ("router", "edge"):
        await docker("kill", f"{made.prefix}{name}")
        await docker("start", f"{made.prefix}{name}")
    await until_up(made)
    assert await made.router.table() == before
    assert (await made.router.status()).differences == ()
    assert (await ask(made)).headers["x-version"] == "old"
    assert (await ask(made, entrypoint="https")).headers["x-version"] == "old"


async def docker(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "docker", *arguments, stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0


async def until_up(made: Gateway) -> None:
    async with asyncio.timeout(60):
        while True:
            status = await made.router.status()
            if status.is_router_up and status.is_edge_up:
                return
            await asyncio.sleep(0.05)


async def test_a_truncated_map_is_seen_and_healed(made: Gateway, old: Upstream) -> None:
    await go_live(made, 1, old)
    table = await made.router.table()
    maps = made.folder / "haproxy/maps"
    (maps / "live.map").write_text("")
    await docker("restart", "-t", "1", f"{made.prefix}router")
    await until_up(made)
    assert (await ask(made)).status == 503
    assert (await made.router.status()).differences
    await made.router.replace_table(table)
    assert (await ask(made)).headers["x-version"] == "old"
    assert (maps / "live.map").read_text() == f"{STACK} {STACK}/r1\n"


async def test_a_lost_record_is_refused_and_rebuilt(made: Gateway, old: Upstream) -> None:
    await go_live(made, 1, old)
    table = await made.router.table()
    (made.folder / "haproxy/table.json").unlink()
    with pytest.raises(GatewayRefused, match="although there are routes"):
        await made.router.switch(STACK, None, fence=2)
    assert (await ask(made)).status == 200
    await made.router.replace_table(table)
    await made.router.switch(STACK, None, fence=2)
    assert (await ask(made)).status == 503


async def test_a_router_that_is_down_refuses_before_writing(made: Gateway, old: Upstream) -> None:
    await go_live(made, 1, old)
    live = made.folder / "haproxy/maps/live.map"
    await docker("kill", f"{made.prefix}router")
    with pytest.raises(GatewayRefused) as refusal:
        await made.router.switch(STACK, None, fence=2)
    assert refusal.value.retryable
    assert live.read_text() == f"{STACK} {STACK}/r1\n"


@pytest.mark.parametrize("verb", ["attach", "switch", "detach", "claim", "release"])
async def test_a_verb_killed_between_files_and_memory_is_done_again(
    made: Gateway, old: Upstream, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    if verb != "attach":
        await made.publish(1, old.address)
    claims = [HostClaim("plain", "acme.test", STACK)]
    if verb == "release":
        await made.router.claim_hosts(claims, fence=1)

    async def act() -> None:
        match verb:
            case "attach":
                await made.publish(1, old.address)
            case "switch":
                await made.router.switch(STACK, f"{STACK}/r1", fence=1)
            case "claim":
                await made.router.claim_hosts(claims, fence=1)
            case "release":
                await made.router.release_hosts(claims, fence=1)
            case _:
                await made.router.detach(STACK, f"{STACK}/r1", fence=1)

    async def killed(*_: object) -> str:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(Runtime, "send", killed)
        with pytest.raises(asyncio.CancelledError):
            await act()
    assert (await made.router.status()).differences
    await act()
    assert (await made.router.status()).differences == ()


async def test_a_change_that_the_memory_refuses_is_not_in_the_files(
    made: Gateway, old: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    await go_live(made, 1, old)

    async def deaf(*_: object) -> str:
        return "unknown command"

    with monkeypatch.context() as patch:
        patch.setattr(Runtime, "send", deaf)
        with pytest.raises(GatewayRefused, match="unknown command"):
            await made.router.switch(STACK, None, fence=2)
        with pytest.raises(GatewayRefused, match="unknown command"):
            await made.router.claim_hosts([HostClaim("plain", "acme.test", STACK)], fence=2)
    assert (await made.router.status()).differences == ()
    assert (await ask(made)).status == 200


async def test_changes_of_many_stacks_at_once_all_arrive(made: Gateway) -> None:
    async def publish(number: int) -> None:
        router = HaproxyRouter(made.folder, made.entrypoints, POOL)
        stack, release = f"app{number}-prod", f"app{number}-prod/r1"
        backend = Backend(number, (f"10.201.0.{number}:80",))
        await router.attach(stack, [backend], [Prefix(release, "/", number)], fence=1)
        await router.switch(stack, release, fence=1)

    await asyncio.gather(*(publish(number) for number in range(1, POOL.backends + 1)))
    table = await made.router.table()
    assert len(table.live) == len(table.backends) == POOL.backends
    assert (await made.router.status()).differences == ()


async def test_bringing_it_up_again_changes_nothing(made: Gateway) -> None:
    assert await made.processes.up(made.entrypoints) == ()


async def test_a_new_entrypoint_is_a_reload_that_keeps_the_old_ones(
    made: Gateway, old: Upstream
) -> None:
    await go_live(made, 1, old)
    (port,) = free_ports(1)
    async with running(load(made, keeps_alive=False)) as tally:
        assert await made.processes.up((*made.entrypoints, Entrypoint("extra", port)))
    assert tally.lost == 0, tally.summary()
    assert (await made.router.status()).differences == ()


async def test_a_taken_port_is_refused_and_the_old_entrypoints_stay(
    made: Gateway, old: Upstream
) -> None:
    await go_live(made, 1, old)
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        extra = Entrypoint("extra", taken.getsockname()[1])
        with pytest.raises(GatewayRefused, match=f"port {extra.port} is another program's"):
            await made.processes.up((*made.entrypoints, extra))
    assert (await ask(made)).status == 200
    assert "extra" not in (made.folder / "haproxy/haproxy.cfg").read_text()
    assert await made.processes.up(made.entrypoints) == ()


@pytest.mark.requirement("R42")
async def test_a_known_host_gets_a_certificate_and_http2_and_hsts(
    made: Gateway, old: Upstream
) -> None:
    await go_live(made, 1, old)
    for host in (HOST, f"tenant.{HOST}"):
        answer = await ask(made, entrypoint="https", host=host)
        assert answer.status == 200
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert await negotiated(made, HOST) == "h2"


async def test_hsts_grows_in_declared_steps(made: Gateway, old: Upstream) -> None:
    await go_live(made, 1, old)
    steps = ((1, 60), (int(time.time()) + 3600, 300), (2**40, 86_400))  # over, now, later
    router = replace(made.options.router, hsts_steps=steps)
    processes = DockerGateway(made.folder, replace(made.options, router=router))
    await processes.up(made.entrypoints)
    answer = await ask(made, entrypoint="https")
    assert answer.headers["strict-transport-security"] == "max-age=300"


async def negotiated(made: Gateway, host: str) -> str | None:
    context = trusting(made)
    context.set_alpn_protocols(["h2", "http/1.1"])
    _, writer = await asyncio.open_connection(
        "127.0.0.1", made.port("https"), ssl=context, server_hostname=host
    )
    found: ssl.SSLObject = writer.get_extra_info("ssl_object")
    writer.close()
    return found.selected_alpn_protocol()


@pytest.mark.requirement("R110")
@pytest.mark.parametrize("host", ["unknown.test", f"a.b.{HOST}"])
async def test_an_unknown_host_gets_no_certificate(made: Gateway, host: str) -> None:
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(made, entrypoint="https", host=host)
    assert not list(made.folder.rglob(f"{host}.crt"))


@pytest.mark.parametrize("host", ["unknown.test", f"a.b.{HOST}", "127.0.0.1"])
async def test_an_unknown_host_is_misdirected(made: Gateway, old: Upstream, host: str) -> None:
    await go_live(made, 1, old)
    assert (await ask(made, host=host)).status == 421
    assert (await ask(made, host=host, entrypoint="http")).status == 421


async def test_plain_http_is_sent_to_https(made: Gateway) -> None:
    answer = await ask(made, "/a?b=c", entrypoint="http")
    assert answer.status == 308
    assert answer.headers["location"] == f"https://{HOST}:{made.port('https')}/a?b=c"


@pytest.mark.requirement("R268")
@pytest.mark.parametrize("entrypoint", ["plain", "https"])
async def test_a_client_cannot_say_who_it_is(made: Gateway, old: Upstream, entrypoint: str) -> None:
    await go_live(made, 1, old)
    claimed = {
        "X-Forwarded-For": "6.6.6.6",
        "X_Forwarded_For": "6.6.6.6",
        "X-Real-IP": "6.6.6.6",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Host": "evil.test",
        "X-Forwarded-Port": "666",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "for=6.6.6.6",
        "X-Site": "evil/r6",
        "X-Berth-Probe": "1",
    }
    answer = await ask(made, entrypoint=entrypoint, headers=claimed)
    seen = head_of(old)
    assert seen["x-forwarded-for"] == seen["x-real-ip"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == ("https" if entrypoint == "https" else "http")
    assert seen["x-forwarded-host"] == HOST
    assert seen["x-forwarded-port"] == str(made.port(entrypoint))
    assert not {"x_forwarded_for", "x-forwarded-prefix", "forwarded", "x-site"} & seen.keys()
    assert "x-berth-probe" not in seen
    assert "x-berth-release" not in answer.headers  # it forwards, so it is no probe of ours


def head_of(one: Upstream) -> dict[str, str]:
    lines = (line.partition(": ") for line in one.heads[0].split("\r\n")[1:] if line)
    return {name.lower(): value for name, _, value in lines}


async def test_a_declared_proxy_is_believed(made: Gateway, old: Upstream) -> None:
    await go_live(made, 1, old)
    said = {"X-Forwarded-For": "6.6.6.6, 7.7.7.7", "X-Forwarded-Proto": "https"}
    await ask(made, entrypoint="tunnel", headers=said)
    seen = head_of(old)
    assert seen["x-forwarded-for"] == "6.6.6.6, 7.7.7.7, 127.0.0.1"
    assert seen["x-real-ip"] == "7.7.7.7"  # what the proxy itself saw
    assert (seen["x-forwarded-proto"], seen["x-forwarded-port"]) == ("https", "443")


@pytest.mark.parametrize("entrypoint", ["plain", "tunnel", "https"])
async def test_our_own_probe_is_told_the_release(
    made: Gateway, old: Upstream, entrypoint: str
) -> None:
    release = await go_live(made, 1, old)
    answer = await ask(made, entrypoint=entrypoint, headers={"X-Berth-Probe": "1"})
    assert answer.headers["x-berth-release"] == release
    assert "x-berth-release" not in (await ask(made, entrypoint=entrypoint)).headers


WHO_ANSWERS = {
    "/": "old /",
    "/apiary": "old /apiary",
    "/api": "new /api",
    "/api/": "new /api/",
    "/api/x?y=/z": "new /api/x?y=/z",
    "//api//x": "new /api/x",
    "/x/../api/./y": "new /api/y",
    "/%61pi/x": "new /api/x",
    "/api/v2/x": "old /api/v2/x",
    "/cut/off/x?y": "new /x?y",
    "/cut/off": "new /",
    "/cut/offer": "old /cut/offer",
    "/api/%2e%2e/x": "old /x",
}
AMBIGUOUS = ("/a%2Fb", "/api%5cx", "/a\\b", "/api/..;/x", "/a%00", "/%zz")


@pytest.mark.requirement("R259", "R267")
async def test_the_longest_prefix_of_whole_segments_wins(prefixed: Gateway) -> None:
    answers = {path: (await ask(prefixed, path)).text for path in WHO_ANSWERS}
    assert answers == WHO_ANSWERS


async def test_a_path_that_could_mean_two_things_is_refused(prefixed: Gateway) -> None:
    statuses = {path: (await ask(prefixed, path)).status for path in AMBIGUOUS}
    assert statuses == dict.fromkeys(AMBIGUOUS, 400)


@pytest.fixture
async def prefixed() -> AsyncIterator[Gateway]:
    async with gateway() as made, upstream("old") as old, upstream("new") as new:
        release = f"{STACK}/r1"
        prefixes = [
            Prefix(release, "/", 1),
            Prefix(release, "/api", 2),
            Prefix(release, "/api/v2", 1),
            Prefix(release, "/cut/off", 2, strip=True),
        ]
        backends = [Backend(1, (old.address,)), Backend(2, (new.address,))]
        await made.router.attach(STACK, backends, prefixes, fence=1)
        await made.claim(HOST)
        await made.router.switch(STACK, release, fence=1)
        yield made


BY_HOST = {
    (HOST, "/"): "old /",
    (HOST, "/api/x"): "new /api/x",
    (f"api.{HOST}", "/"): "new /",
    (f"api.{HOST}", "/v2/x"): "old /v2/x",
    (f"api.{HOST}", "/v20"): "new /v20",
    (f"api.{HOST}", "/admin"): "new /admin",
    (f"API.{HOST}.:80", "/"): "new /",
    (f"tenant.{HOST}", "/admin/x"): "new /admin/x",
    (f"tenant.{HOST}", "/"): "old /",
    (f"tenant.{HOST}", "/api/x"): "new /api/x",
}
HOSTED = (
    Prefix(f"{STACK}/r1", "/", 1),
    Prefix(f"{STACK}/r1", "/api", 2),
    Prefix(f"{STACK}/r1", "/", 2, host=f"api.{HOST}"),
    Prefix(f"{STACK}/r1", "/v2", 1, host=f"api.{HOST}"),
    Prefix(f"{STACK}/r1", "/admin", 2, host=f"*.{HOST}"),
)


async def test_a_hosts_own_routes_win_over_everybodys(
    made: Gateway, old: Upstream, new: Upstream
) -> None:
    backends = [Backend(1, (old.address,)), Backend(2, (new.address,))]
    await made.router.attach(STACK, backends, HOSTED, fence=1)
    await made.router.switch(STACK, f"{STACK}/r1", fence=1)
    answers = {key: (await ask(made, key[1], host=key[0])).text for key in BY_HOST}
    assert answers == BY_HOST
    for prefix in HOSTED:  # as the twin and the plan say it
        found = answering(HOSTED, prefix.host or HOST, prefix.path)
        assert found is prefix


async def test_a_release_without_a_route_for_every_host_answers_its_own_only(
    made: Gateway, old: Upstream
) -> None:
    backend, release = Backend(1, (old.address,)), f"{STACK}/r1"
    await made.router.attach(STACK, [backend], [Prefix(release, "/", 1, host=HOST)], fence=1)
    await made.router.switch(STACK, release, fence=1)
    assert (await ask(made)).text == "old /"
    assert (await ask(made, host=f"tenant.{HOST}")).status == 404


async def test_a_site_is_switched_with_its_release(made: Gateway, old: Upstream) -> None:
    sites = made.folder.parent / "sites" / STACK
    for number in (1, 2):
        write_site(sites / f"r{number}/web", number)
        prefixes = [Prefix(f"{STACK}/r{number}", "/", site="web")]
        prefixes += [Prefix(f"{STACK}/r{number}", "/api", number)]
        backends = [Backend(number, (old.address,))]
        await made.router.attach(STACK, backends, prefixes, fence=1)
        await made.router.switch(STACK, f"{STACK}/r{number}", fence=1)
        for path in ("/", "/some/page", "/index.html"):
            page = await ask(made, path)
            assert (page.status, page.text) == (200, f"page {number}")
            assert page.headers["cache-control"] == "no-cache"
        assert (await ask(made, "/api/x")).text == "old /api/x"


async def test_hashed_assets_are_kept_and_never_answered_with_a_page(made: Gateway) -> None:
    sites = made.folder.parent / "sites" / STACK
    write_site(sites / "r1/web", 1)
    (sites / "_assets/assets").mkdir(parents=True)
    (sites / "_assets/assets/app-older000.js").write_text("older")
    await made.router.attach(STACK, [], [Prefix(f"{STACK}/r1", "/", site="web")], fence=1)
    await made.router.switch(STACK, f"{STACK}/r1", fence=1)
    for path, text in {
        "/assets/app-B7a9xK2z.js": "script 1",
        "/assets/app-older000.js": "older",
    }.items():
        asset = await ask(made, path)
        assert (asset.status, asset.text) == (200, text)
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("/assets/app-gone0000.js", "/assets/gone.png", "/main.3f2a91bc.css"):
        assert (await ask(made, path)).status == 404
    assert (await ask(made, "/assets/logo.png")).headers["cache-control"] == "no-cache"
    assert (await ask(made, "/about-everything.html")).text == "page 1"


def write_site(folder: Path, number: int) -> None:
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(f"page {number}")
    (folder / "assets/app-B7a9xK2z.js").write_text(f"script {number}")
    (folder / "assets/logo.png").write_text("logo")


async def test_maintenance_answers_every_path_and_ends(made: Gateway, old: Upstream) -> None:
    await go_live(made, 1, old)
    await made.router.set_maintenance(STACK, True, fence=1)
    for path in ("/", "/api/x"):
        page = await ask(made, path)
        assert page.status == 503
        assert page.headers["retry-after"] == "60"
        assert "<h1>" in page.text
    await made.router.set_maintenance(STACK, False, fence=1)
    assert (await ask(made)).status == 200


async def test_a_host_without_a_release_says_so(made: Gateway) -> None:
    page = await ask(made)
    assert page.status == 503
    assert "not running" in page.text
