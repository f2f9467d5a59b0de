"""Which proxy the advice is about, and the address that it is told."""

from dataclasses import replace

from tests.builders import SHOP
from tests.unit.engine.worlds import World, adoption, empty_world, with_proxy

from berthmaster.domain.container import PublishedPort
from berthmaster.domain.routing import Entrypoint, Tls
from berthmaster.services.advise_proxy import Advice, advise_proxy
from berthmaster.testing.host import FakeHost
from berthmaster.testing.runtime import FakeRuntime

CONFIG = b"# configuration file /etc/nginx/conf.d/a.conf:\nproxy_pass http://web:8000;\n"


async def adopted() -> World:
    world = empty_world()
    await world.carry_out(await adoption(world))
    labels = {**world.engine.containers["old-web-1"].labels, "com.docker.compose.service": "web"}
    world.engine.containers["old-web-1"].labels = labels
    return world


async def advice(world: World) -> Advice:
    release = world.outside.store.release(SHOP, 0)
    assert release
    found = await advise_proxy(world.outside, release)
    assert found
    return found


async def test_the_proxy_in_a_container_is_told_this_machines_address_in_its_network() -> None:
    world = await adopted()
    proxy = with_proxy(world)
    proxy.addresses = {"old_default": "172.28.0.9"}
    runtime = world.outside.runtime
    assert isinstance(runtime, FakeRuntime)
    runtime.programs["nginx"] = lambda container, arguments, source: (0, CONFIG)
    found = await advice(world)
    assert (found.proxy, found.url) == ("old-proxy-1", "https://172.28.0.1:8443")
    assert found.hint.where == "in /etc/nginx/conf.d/a.conf, line 1"
    assert (found.hint.old, found.hint.new[0]) == (
        "proxy_pass http://web:8000;",
        "proxy_pass https://172.28.0.1:8443;",
    )
    assert 'trusted_proxies = ["172.28.0.0/24"]' in found.notes[0]
    world.firewall.shut = frozenset({8443})
    assert "ufw allow from 172.28.0.0/24 to any port 8443" in (await advice(world)).notes[1]


async def test_a_proxy_elsewhere_on_the_engine_is_known_by_its_port() -> None:
    world = await adopted()
    other = world.engine.add_container("edge", world.engine.add_image("traefik:v3"))
    other.image, other.published = "traefik:v3", (PublishedPort(443, 443),)
    other.start(world.outside.clock.now())
    found = await advice(world)
    assert (found.proxy, found.hint.kind) == ("edge", "Traefik")


async def test_a_proxy_of_the_machine_is_told_loopback_and_an_unknown_one_the_address_only() -> (
    None
):
    world = await adopted()
    assert isinstance(world.outside.host, FakeHost)
    assert (await advice(world)).proxy == ""
    world.outside.host.owners[80] = "nginx (pid 812)"
    plain = Entrypoint("https", 8080, Tls.OFF, trusted_proxies=("127.0.0.1/32",))
    world.outside = replace(world.outside, entrypoints=(plain,))
    found = await advice(world)
    assert (found.proxy, found.notes) == ("nginx (pid 812)", ())
    assert found.hint.new[0] == "proxy_pass http://127.0.0.1:8080;"
    assert found.hint.then == "sudo systemctl reload nginx"
