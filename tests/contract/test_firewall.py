"""The redirect of the firewall port: one suite for the twin and for real tables in a namespace."""

import contextlib
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from berthmaster.adapters.firewall import Iptables
from berthmaster.domain.takeover import Redirected
from berthmaster.ports.firewall import Firewall
from berthmaster.testing.host import FakeFirewall

BLOCK = "10.254.8.0/24"
LED = (Redirected(443, 8443), Redirected(443, 8443, "udp"), Redirected(80, 8080))


@pytest.fixture(params=["twin", pytest.param("real", marks=pytest.mark.docker)])
def firewall(request: pytest.FixtureRequest) -> Iterator[Firewall]:
    if request.param == "twin":
        yield FakeFirewall()
        return
    name = f"berth-f-{uuid.uuid4().hex[:6]}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    with contextlib.ExitStack() as stack:
        stack.callback(subprocess.run, ["ip", "netns", "del", name], check=False)
        yield Iptables(name)


async def test_what_is_led_is_seen_until_it_ends(firewall: Firewall) -> None:
    assert await firewall.redirected(BLOCK) == ()
    for wanted in (LED, LED, LED[:1], (), ()):
        await firewall.redirect(BLOCK, wanted)
        assert set(await firewall.redirected(BLOCK)) == set(wanted)


async def test_the_chain_and_the_redirect_leave_each_other_alone(firewall: Firewall) -> None:
    await firewall.ensure(BLOCK, [8443, 8080])
    await firewall.redirect(BLOCK, LED)
    assert await firewall.differences(BLOCK, [8443, 8080]) == ()
    await firewall.ensure(BLOCK, [8443, 8080, 443, 80])
    assert set(await firewall.redirected(BLOCK)) == set(LED)
    await firewall.redirect(BLOCK, ())
    assert await firewall.differences(BLOCK, [8443, 8080, 443, 80]) == ()
    await firewall.remove(BLOCK)


async def test_an_open_host_refuses_no_port(firewall: Firewall) -> None:
    assert await firewall.refused([80, 443]) == ()
