"""The firewall chain in a network namespace of the test's own: tried with real connections."""

import asyncio
import contextlib
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from berthmaster.adapters.firewall import Iptables, Limit
from berthmaster.adapters.firewall.rules import chain_of
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.takeover import Redirected

pytestmark = pytest.mark.docker

BLOCK = "10.254.7.0/24"
CHAIN = chain_of(BLOCK)
TAKEN = 443  # led to what is open
HOST, CONTAINER = "10.254.7.1", "10.254.7.2"
OPEN, CLOSED = 8443, 2019
LISTEN = """
import socket, sys
listening = socket.create_server(("", int(sys.argv[1])), backlog=256)
while True:
    listening.accept()[0].close()
"""
BURST = """
import select, socket, sys, time
address, asked = (sys.argv[1], int(sys.argv[2])), [socket.socket() for _ in range(int(sys.argv[3]))]
end, taken = time.monotonic() + 0.8, set()
for one in asked:
    one.setblocking(False)
    one.connect_ex(address)
while (left := end - time.monotonic()) > 0 and len(taken) < len(asked):
    taken |= set(select.select([], [one for one in asked if one not in taken], [], left)[1])
print(len(taken))
"""


@dataclass
class Machine:
    """A namespace that plays the server, and one that plays a container of the block."""

    server: str
    container: str

    def reaches(self, port: int) -> bool:
        """Whether a connection from the container is taken; a dropped one ends after a second."""
        code = f"import socket; socket.create_connection(('{HOST}', {port}), 1)"
        return run("ip", "netns", "exec", self.container, "python3", "-c", code) == 0

    def opened(self, count: int, *, where: str, to: str) -> int:
        """Of so many connections begun at once from a namespace, those taken before a client
        tries again, which it does after a second.
        """
        words = ("ip", "netns", "exec", where, "python3", "-c", BURST, to, str(OPEN), str(count))
        ended = subprocess.run(words, capture_output=True, text=True, check=True)
        return int(ended.stdout)

    def rules(self) -> list[str]:
        command = ["ip", "netns", "exec", self.server, "iptables", "-w", "-S"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split(
            "\n"
        )

    def iptables(self, *arguments: str) -> None:
        assert run("ip", "netns", "exec", self.server, "iptables", "-w", *arguments) == 0


def run(*command: str) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode


@pytest.fixture
def machine() -> Iterator[Machine]:
    mark = uuid.uuid4().hex[:6]
    made = Machine(f"berth-s-{mark}", f"berth-c-{mark}")
    with contextlib.ExitStack() as stack:
        for name in (made.server, made.container):
            assert run("ip", "netns", "add", name) == 0
            stack.callback(run, "ip", "netns", "del", name)
        join(made, mark)
        for port in (OPEN, CLOSED):
            command = ["ip", "netns", "exec", made.server, "python3", "-c", LISTEN]
            process = subprocess.Popen(
                [*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield made


def join(made: Machine, mark: str) -> None:
    ends = f"vs{mark}", f"vc{mark}"
    assert run("ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1]) == 0
    for end, name, address in zip(
        ends, (made.server, made.container), (HOST, CONTAINER), strict=True
    ):
        assert run("ip", "link", "set", end, "netns", name) == 0
        assert run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", end) == 0
        assert run("ip", "-n", name, "link", "set", end, "up") == 0
        assert run("ip", "-n", name, "link", "set", "lo", "up") == 0


async def until_served(machine: Machine, port: int) -> None:
    async with asyncio.timeout(60):
        while not machine.reaches(port):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def test_a_container_reaches_the_entrypoints_and_nothing_else(machine: Machine) -> None:
    for port in (OPEN, CLOSED):
        await until_served(machine, port)
    assert await Iptables(machine.server).ensure(BLOCK, (OPEN,)) is True
    assert machine.reaches(OPEN)
    assert not machine.reaches(CLOSED)


async def test_ensuring_twice_changes_nothing(machine: Machine) -> None:
    firewall = Iptables(machine.server)
    assert await firewall.ensure(BLOCK, (OPEN,)) is True
    before = machine.rules()
    assert await firewall.differences(BLOCK, (OPEN,)) == ()
    assert await firewall.ensure(BLOCK, (OPEN,)) is False
    assert machine.rules() == before


@pytest.mark.parametrize(
    "damage",
    [
        ("-F", CHAIN),
        ("-D", CHAIN, "1"),
        ("-I", CHAIN, "1", "-j", "RETURN"),
        ("-I", "INPUT", "1", "-j", "ACCEPT"),
        ("-F", "INPUT"),
        ("-F", "FORWARD"),
    ],
    ids=" ".join,
)
async def test_damage_is_seen_and_mended(machine: Machine, damage: tuple[str, ...]) -> None:
    firewall = Iptables(machine.server)
    await firewall.ensure(BLOCK, (OPEN,))
    machine.iptables(*damage)
    assert await firewall.differences(BLOCK, (OPEN,))
    assert await firewall.ensure(BLOCK, (OPEN,)) is True
    assert await firewall.differences(BLOCK, (OPEN,)) == ()


async def test_other_ports_replace_the_old_ones(machine: Machine) -> None:
    firewall = Iptables(machine.server)
    await firewall.ensure(BLOCK, (OPEN,))
    await firewall.ensure(BLOCK, (CLOSED,))
    assert not any(str(OPEN) in rule for rule in machine.rules())
    assert sum(rule.startswith("-A INPUT") for rule in machine.rules()) == 1


async def test_the_hosts_own_rules_stay(machine: Machine) -> None:
    machine.iptables("-A", "INPUT", "-s", "192.0.2.1/32", "-j", "DROP")
    await Iptables(machine.server).ensure(BLOCK, (OPEN,))
    assert "-A INPUT -s 192.0.2.1/32 -j DROP" in machine.rules()


async def test_two_installations_leave_each_other_alone(machine: Machine) -> None:
    firewall, other = Iptables(machine.server), "10.77.0.0/16"
    await firewall.ensure(BLOCK, (OPEN,))
    await firewall.ensure(other, (CLOSED,))
    assert await firewall.differences(BLOCK, (OPEN,)) == ()
    assert await firewall.differences(other, (CLOSED,)) == ()


async def test_nothing_is_left_when_it_is_taken_out(machine: Machine) -> None:
    firewall = Iptables(machine.server)
    before = machine.rules()
    await firewall.ensure(BLOCK, (OPEN,))
    await firewall.remove(BLOCK)
    await firewall.remove(BLOCK)
    assert machine.rules() == before


async def test_cloud_metadata_is_out_of_reach(machine: Machine) -> None:
    await Iptables(machine.server).ensure(BLOCK, (OPEN,))
    rule = f"-A FORWARD -s {BLOCK} -d 169.254.0.0/16 -m comment --comment berthmaster -j DROP"
    assert rule in machine.rules()


async def test_an_address_opens_no_more_connections_than_it_may(machine: Machine) -> None:
    await until_served(machine, OPEN)
    firewall = Iptables(machine.server, Limit(3, (OPEN, TAKEN)))
    assert await firewall.differences(BLOCK, (OPEN,))
    assert await firewall.ensure(BLOCK, (OPEN,)) is True
    assert await firewall.differences(BLOCK, (OPEN,)) == ()
    assert await firewall.ensure(BLOCK, (OPEN,)) is False
    assert 1 <= machine.opened(60, where=machine.container, to=HOST) < 30
    assert machine.opened(60, where=machine.server, to=HOST) == 60  # the host itself
    await until_served(machine, OPEN)  # and slower again

    free = Iptables(machine.server)
    assert "stale" in " ".join(await free.differences(BLOCK, (OPEN,)))
    assert await free.ensure(BLOCK, (OPEN,)) is True
    assert machine.opened(60, where=machine.container, to=HOST) == 60


async def test_a_bound_goes_with_the_rest_and_comes_back_to_its_place(machine: Machine) -> None:
    before, firewall = machine.rules(), Iptables(machine.server, Limit(3, (OPEN,)))
    await firewall.ensure(BLOCK, (OPEN,))
    machine.iptables("-I", "INPUT", "1", "-j", "ACCEPT")
    assert await firewall.ensure(BLOCK, (OPEN,)) is True
    ours = [rule for rule in machine.rules() if rule.startswith("-A INPUT")]
    assert ours.pop() == "-A INPUT -j ACCEPT"
    assert sum("hashlimit" in rule for rule in ours) == 2
    machine.iptables("-D", "INPUT", "-j", "ACCEPT")
    await firewall.remove(BLOCK)
    assert machine.rules() == before


async def test_a_failing_tool_is_an_error_from_outside() -> None:
    with pytest.raises(OutsideError, match="iptables"):
        await Iptables("no-such-namespace").ensure(BLOCK, (OPEN,))


async def test_new_connections_are_led_elsewhere_and_let_in_until_it_ends(machine: Machine) -> None:
    filters, led = (
        Iptables(machine.server),
        [Redirected(TAKEN, OPEN), Redirected(TAKEN, OPEN, "udp")],
    )
    await filters.ensure(BLOCK, [OPEN])
    machine.iptables("-P", "INPUT", "DROP")  # no rule of the host's own knows the second port
    assert await filters.refused([TAKEN, OPEN]) == (TAKEN, OPEN)
    for _ in range(2):
        await filters.redirect(BLOCK, led)
        assert await filters.redirected(BLOCK) == tuple(led)
        assert machine.reaches(TAKEN)
        assert not machine.reaches(CLOSED)
    assert await filters.differences(BLOCK, [OPEN]) == ()
    for _ in range(2):
        await filters.redirect(BLOCK, [])
        assert await filters.redirected(BLOCK) == ()
        assert not machine.reaches(TAKEN)
    assert "berthmaster-" not in " ".join(machine.rules())
