"""A port changes hands: the effects by which the gateway takes the place of somebody's proxy."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from berthmaster.domain import plan as act
from berthmaster.domain.container import Container
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.hosting import asked_hosts, public_host
from berthmaster.domain.probing import Probe
from berthmaster.domain.release import Release
from berthmaster.domain.takeover import TakenPort, Takeover, with_takeover
from berthmaster.engine.through_gateway import await_release, gateway_probe
from berthmaster.ports.outside import Outside

POLL_SECONDS: Final = 0.05
FREE_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 15.0
NO_RESTART: Final = "no"


async def take_ports(outside: Outside, takeover: Takeover | None) -> None:
    """Firewall first: what it keeps out would not reach a port that is listened on.

    Whoever had a port may let go of it a moment after it said so.
    """
    before = outside.gateway.takeover()
    if takeover is not None and takeover.listens and before is not None and not before.listens:
        await _await_free(outside, [item.port for item in takeover.ports])
    entrypoints = with_takeover(outside.entrypoints, takeover)
    ports = [port for item in entrypoints for port in item.ports]
    await outside.firewall.ensure(outside.address_block, ports)
    await outside.gateway.take(takeover, outside.entrypoints)


async def _await_free(outside: Outside, ports: Sequence[int]) -> None:
    """Wait until nobody listens there; after the limit the gateway says itself what is wrong."""
    start = outside.clock.monotonic()
    while any(outside.host.is_port_taken(port) for port in ports):
        if outside.clock.monotonic() - start > FREE_SECONDS:
            return
        await outside.clock.sleep(POLL_SECONDS)


async def await_ports(
    outside: Outside, release: Release, ports: Sequence[TakenPort], timeout_seconds: float
) -> str:
    """Ask on loopback, as a visitor would; raises `DeploymentFailed` naming the port."""
    start = outside.clock.monotonic()
    hosts = asked_hosts(release) or (public_host(release),)
    own = [item.port for item in ports if item.entrypoint == release.entrypoint]
    for port in own:
        for host in hosts:
            probe = replace(gateway_probe(outside, release, host), port=port)
            until = start + timeout_seconds
            await await_release(outside, release, probe, until=until, where=f"at port {port}")
    shown = " and ".join(str(port) for port in own)
    return f"{len(hosts)} hosts answer at port {shown}" if own else "the app has no port of these"


async def drain(outside: Outside, wanted: act.DrainProxy) -> str:
    """Wait; open connections that ask nothing more are closed by the proxy when it stops."""
    clock, start = outside.clock, outside.clock.monotonic()
    while True:
        left = await outside.runtime.connected(wanted.container, wanted.inside)
        waited = clock.monotonic() - start
        if left == 0:
            return f"nobody is connected after {waited:.1f} s"
        if waited >= wanted.timeout_seconds:
            return f"{left} connections still open after {waited:.0f} s"
        await clock.sleep(2 * POLL_SECONDS)


async def start_again(outside: Outside, wanted: act.StartProxy) -> str:
    """Wait for a stop that is under way, start it with its policy, and wait until it listens."""
    runtime, clock = outside.runtime, outside.clock
    found = await runtime.container(wanted.container)
    if found is None:
        raise OutsideError(f"the proxy {wanted.container[:12]} is gone", subject="proxy")
    if found.restart == NO_RESTART:  # it was told to stop, or is a proxy that has no policy
        await runtime.stop(wanted.container, wanted.stop_seconds)
        await _await_free(outside, [item.port for item in found.published])
    await runtime.start(wanted.container)
    await runtime.set_restart(wanted.container, wanted.restart)
    start = clock.monotonic()
    while True:
        heard = {item.rpartition(":")[2] for item in await runtime.listening(wanted.container)}
        if heard.issuperset(str(port) for port in wanted.inside):
            answers = await _await_answers(outside, wanted)
            return f"it {answers} again after {clock.monotonic() - start:.1f} s"
        if clock.monotonic() - start > wanted.timeout_seconds:
            text = f"{found.name} does not listen {wanted.timeout_seconds:.0f} s after its start"
            raise OutsideError(
                text, subject=found.name, next_command=f"docker logs --tail 20 {found.name}"
            )
        await clock.sleep(POLL_SECONDS)


async def _await_answers(outside: Outside, wanted: act.StartProxy) -> str:
    """Ask it itself, because its ports are still led to the gateway; at most for a few seconds.

    One that answers otherwise than it did is its owner's, and is given its ports all the same.
    """
    clock, start = outside.clock, outside.clock.monotonic()
    left = list(wanted.asks)
    while left and clock.monotonic() - start < ANSWER_SECONDS:
        found = await outside.runtime.container(wanted.container)
        direct = [probe for one in left for probe in _direct(found, one)] if found else []
        good = [await _is_answered(outside, one) for one in direct]
        if all(good):
            left = []
        else:
            await clock.sleep(POLL_SECONDS)
    return "listens" if left or not wanted.asks else "answers"


def _direct(found: Container, probe: Probe) -> Iterator[Probe]:
    """The same question at the proxy's own address, where the host has a way to it."""
    address = next((item for item in found.addresses.values() if item), None)
    inside = [item.inside for item in found.published if item.port == probe.port]
    if address and inside:
        yield replace(probe, address=address, port=inside[0], checks_certificate=False)


async def _is_answered(outside: Outside, probe: Probe) -> bool:
    answer = await outside.prober.probe(probe)
    return answer.status is not None and answer.status < 500 and answer.status not in (400, 404)
