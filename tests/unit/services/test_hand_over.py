"""When the gateway may not take the place of a proxy, and what is said instead."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.builders import SHOP
from tests.unit.engine.worlds import World, adoption, empty_world, with_proxy

from berthmaster.domain.container import PublishedPort
from berthmaster.domain.errors import BerthmasterError, NotAllowed, NotFound
from berthmaster.domain.probing import Certificate
from berthmaster.domain.routing import Entrypoint, Tls
from berthmaster.domain.takeover import Redirected
from berthmaster.ports.progress import Silence
from berthmaster.services.adopt import plan_undo
from berthmaster.services.hand_over import (
    Wish,
    hand_back,
    hand_over,
    plan_hand_back,
    plan_hand_over,
)
from berthmaster.testing.certificates import FakeCertificates
from berthmaster.testing.host import FakeHost
from berthmaster.testing.prober import FakeProber
from berthmaster.testing.runtime import FakeRuntime
from berthmaster.testing.world import FakeContainer

WISH = Wish(SHOP, "old")


async def behind_a_proxy() -> tuple[World, FakeContainer]:
    world = empty_world()
    await world.carry_out(await adoption(world))
    return world, with_proxy(world)


async def refusal(world: World, wish: Wish = WISH) -> BerthmasterError:
    with pytest.raises((NotAllowed, NotFound)) as caught:
        await plan_hand_over(world.outside, wish)
    return caught.value


async def test_the_proxy_that_has_port_443_is_found_and_replaced_and_comes_back() -> None:
    world, proxy = await behind_a_proxy()
    before = await world.view()
    done = await hand_over(world.outside, WISH, Silence())
    assert (done.proxy, done.seen.lost) == ("old-proxy-1", 0)
    assert done.seen.asked > 0
    assert (proxy.state, proxy.restart) == ("exited", "no")
    assert world.firewall.led == ()
    assert (await plan_undo(world.outside, SHOP, "old")).steps  # the proxy is no part of it
    await hand_back(world.outside, SHOP, "old", Silence())
    assert await world.view() == before
    said = [item.detail for item in world.outside.store.events(SHOP, limit=50)]
    assert "ports 443 and old-proxy-1: 0 of" in " ".join(said)


async def test_the_ports_of_a_proxy_that_is_gone_are_given_up_and_that_is_said() -> None:
    world, _ = await behind_a_proxy()
    await hand_over(world.outside, WISH, Silence())
    del world.engine.containers["old-proxy-1"]
    plan = await plan_hand_back(world.outside, SHOP, "old")
    assert [step.what for step in plan.steps] == ["give port 443 up"]
    assert "nobody answers at port 443 until you start a proxy there" in plan.notes[0]
    await hand_back(world.outside, SHOP, "old", Silence())
    assert world.gateway.taken is None


async def test_quic_is_led_with_it_when_the_proxy_has_it() -> None:
    world, _ = await behind_a_proxy()
    plan = await plan_hand_over(world.outside, WISH)
    led = next(
        step.action for step in plan.steps if step.action.__class__.__name__[:8] == "Redirect"
    )
    assert led.ports == (Redirected(443, 8443), Redirected(443, 8443, "udp"))  # type: ignore[union-attr]


async def test_a_name_that_only_the_proxy_answers_is_refused_unless_it_may_go() -> None:
    world, _ = await behind_a_proxy()
    text = b"server { server_name shop.test blog.test; }\n"
    runtime = world.outside.runtime
    assert isinstance(runtime, FakeRuntime)
    runtime.programs["nginx"] = lambda container, arguments, source: (0, text)
    assert "blog.test: old-proxy-1 answers it" in (await refusal(world)).message
    plan = await plan_hand_over(world.outside, replace(WISH, without=("blog.test",)))
    assert "old-proxy-1 (nginx) answers blog.test, shop.test" in plan.notes


async def test_a_certificate_that_is_not_here_is_asked_for() -> None:
    world, _ = await behind_a_proxy()
    assert isinstance(world.outside.certificates, FakeCertificates)
    world.outside.certificates.certificates.clear()
    error = await refusal(world)
    assert "shop.test: your proxy shows one of CN=R3" in error.message
    assert "berth cert import" in error.message


async def test_a_firewall_that_lets_nobody_in_is_named() -> None:
    world, _ = await behind_a_proxy()
    world.firewall.shut = frozenset({443})
    assert "ufw allow 443/tcp" in (await refusal(world)).message


def on_one_address(proxy: FakeContainer) -> None:
    proxy.published = (PublishedPort(443, 443, address="192.0.2.1"),)


def on_the_hosts_network(proxy: FakeContainer) -> None:
    proxy.published, proxy.shares_host_network = (), True


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (on_one_address, "publishes no port that everybody may dial"),
        (on_the_hosts_network, "uses the host's own network"),
    ],
)
async def test_a_proxy_of_another_shape_is_refused(
    change: Callable[[FakeContainer], None], said: str
) -> None:
    world, proxy = await behind_a_proxy()
    change(proxy)
    assert said in (await refusal(world, replace(WISH, proxy="old-proxy-1"))).message


async def test_a_proxy_without_tls_does_not_make_visitors_change_to_it() -> None:
    world, _ = await behind_a_proxy()
    assert isinstance(world.outside.prober, FakeProber)
    world.outside.prober.certificates["shop.test"] = Certificate(error="no TLS here")
    assert "speaks no TLS" in (await refusal(world)).message


async def test_plain_requests_need_somebody_who_redirects_them() -> None:
    world, proxy = await behind_a_proxy()
    proxy.published = (PublishedPort(80, 80), PublishedPort(443, 443))
    assert isinstance(world.outside.prober, FakeProber)
    answers = {80: Certificate(error="no TLS here")}
    shown = world.outside.prober.certificates["shop.test"]

    async def certificate(
        address: str, port: int, host: str, *, timeout_seconds: float
    ) -> Certificate:
        return answers.get(port, shown)

    world.outside.prober.certificate = certificate  # type: ignore[method-assign]
    assert 'redirect_to = "https"' in str((await refusal(world)).next_command)
    http = Entrypoint("http", 8080, redirect_to="https")
    outside = replace(world.outside, entrypoints=(http, Entrypoint("https", 8443, Tls.LOCAL)))
    plan = await plan_hand_over(outside, WISH)
    assert "lead 443 to 8443, 80 to 8080" in {step.what for step in plan.steps}


@pytest.mark.parametrize(
    ("owner", "said"),
    [
        ("nginx (pid 812)", "sudo systemctl disable --now nginx && sudo berth gateway up"),
        ("caddy (pid 9) in container {id}", "docker stop edge && sudo berth gateway up"),
    ],
)
async def test_a_proxy_of_the_machine_itself_is_told_with_the_commands(
    owner: str, said: str
) -> None:
    world = empty_world()
    await world.carry_out(await adoption(world))
    on_host = world.engine.add_container("edge", world.engine.add_image("caddy"))
    on_host.start(world.outside.clock.now())
    assert isinstance(world.outside.host, FakeHost)
    world.outside.host.owners[443] = owner.format(id=on_host.id)
    assert said in (await refusal(world)).message


async def test_nobody_at_the_usual_ports_and_two_who_could_be_meant() -> None:
    world, proxy = await behind_a_proxy()
    other = world.engine.add_container("other-proxy", world.engine.add_image("caddy"))
    other.published = (PublishedPort(80, 80),)
    other.start(world.outside.clock.now())
    assert "which proxy? old-proxy-1, other-proxy" in (await refusal(world)).message
    proxy.published = other.published = (PublishedPort(4430, 443),)
    assert "nobody has the ports 80 and 443" in (await refusal(world)).message


async def test_what_is_not_adopted_and_what_is_taken_already_is_refused() -> None:
    world, _ = await behind_a_proxy()
    assert "adopted from the project old" in (await refusal(world, Wish(SHOP, "other"))).message
    await hand_over(world.outside, WISH, Silence())
    assert "taken the place of a proxy already" in (await refusal(world)).message
    fresh = empty_world()
    assert "is not adopted" in (await refusal(fresh)).message
