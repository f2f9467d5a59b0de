"""From inside a container: its own database, the entrypoints, and nothing else of the server.

`test_neighbours.py` tries another stack's release network and a listener of the host,
`tests/integration/test_firewall.py` the rules, cloud metadata among them; here is the rest. Each
refusal stands beside something that answers the same question.
"""

import asyncio
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.scenario.commands import docker, docker_lines, end, start
from tests.scenario.dsl import App
from tests.scenario.server import Server, is_open
from tests.scenario.test_neighbours import address_of, can_reach, listener, web_of

pytestmark = pytest.mark.docker

POSTGRES = 5432
LISTENING = re.compile(r"127\.0\.0\.1:(\d{2,5})\b")


@dataclass
class Pair:
    """Two stacks on one server, each with a database, a volume and secrets of its own."""

    mine: App
    other: App
    tokens: dict[str, str]  # by the app's name

    def database(self, shop: App) -> str:
        return f"{shop.project}-db-1"


@pytest.fixture(scope="module")
def pair(server: Server) -> Iterator[Pair]:
    apps = [App(server, f"inside{number}").write("data") for number in (1, 2)]
    tokens = {shop.name: secrets.token_hex(24) for shop in apps}
    for shop in apps:
        shop.secret("token", tokens[shop.name]).secret("db_password", secrets.token_hex(24))
        asyncio.run(shop.deploy("v1"))
    yield Pair(apps[0], apps[1], tokens)
    for shop in apps:
        asyncio.run(server.remove_app(shop.name))


async def gateways(shop: App) -> list[str]:
    """The addresses that the host has in the networks of a stack."""
    networks = (f"{shop.project}-r1-net", f"{shop.project}-state")
    form = ("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    return [await docker(*form, name) for name in networks]


async def test_the_own_database_answers_and_the_neighbours_does_not(pair: Pair) -> None:
    inside = web_of(pair.mine)
    own = await address_of(pair.database(pair.mine), f"{pair.mine.project}-state")
    foreign = await address_of(pair.database(pair.other), f"{pair.other.project}-state")
    assert await can_reach(inside, own, POSTGRES)
    assert await can_reach(web_of(pair.other), foreign, POSTGRES)
    assert not await can_reach(inside, foreign, POSTGRES)
    release = await address_of(web_of(pair.other), f"{pair.other.project}-r1-net")
    assert not await can_reach(inside, release, 8000)


async def test_the_host_answers_at_its_entrypoints_only(pair: Pair) -> None:
    server, inside = pair.mine.server, web_of(pair.mine)
    admin = admin_ports(server)
    assert any(is_open(port) for port in admin), "nothing of the gateway listens on loopback"
    async with listener() as port:
        for address in await gateways(pair.mine):
            assert await can_reach(inside, address, server.plain)
            assert await can_reach(inside, address, server.https)
            reached = [one for one in (port, *admin) if await can_reach(inside, address, one)]
            assert reached == []


def admin_ports(server: Server) -> list[int]:
    """Ports of the gateway on loopback; what else it is told by lies in files."""
    found = set(re.findall(r"ask_port = (\d+)", (server.root / "settings.toml").read_text()))
    for path in (server.state / "gateway").rglob("*"):
        if path.is_file() and path.suffix in (".cfg", ".json", ".caddyfile"):
            found |= set(LISTENING.findall(path.read_text()))
    ports = {int(port) for port in found} - {server.plain, server.https}
    assert ports
    return sorted(ports)


async def test_no_socket_volume_or_secret_of_anybody_else_is_inside(pair: Pair) -> None:
    state, mine = str(pair.mine.server.state), web_of(pair.mine)
    for name in (mine, pair.database(pair.mine)):
        form = "{{range .Mounts}}{{.Source}} {{.Name}} {{end}}"
        mounts = (await docker("inspect", "--format", form, name)).split()
        assert any(pair.mine.project in mount for mount in mounts), "its own are there"
        assert not [mount for mount in mounts if pair.other.project in mount]
        assert not [mount for mount in mounts if "docker" in mount and mount.endswith(".sock")]
        assert not [mount for mount in mounts if mount.startswith(f"{state}/gateway")]
        sockets = await docker("exec", name, "find", "/run", "/var/run", "-type", "s")
        assert not {"docker.sock", "containerd.sock", "admin.sock"} & {
            path.rpartition("/")[2] for path in sockets.split()
        }
    assert await holding(mine, pair.tokens[pair.mine.name]) == ["/run/secrets/token"]
    assert await holding(mine, pair.tokens[pair.other.name]) == []


async def holding(container: str, value: str) -> list[str]:
    """Files in a container that hold a value, where anything may be mounted, read as root."""
    words = ("grep", "-rlF", value, "/run", "/app", "/etc", "/home", "/mnt", "/srv", "/tmp", "/opt")
    found = await end(await start("docker", "exec", "--user", "0", container, *words))
    return sorted(found.out.split())


async def test_volumes_are_mounted_by_their_own_stack_only(pair: Pair) -> None:
    for shop, neighbour in ((pair.mine, pair.other), (pair.other, pair.mine)):
        users = await docker_lines(
            *("container", "ls", "--all", "--format", "{{.Names}}"),
            *("--filter", f"volume={shop.project}_rows"),
        )
        assert users == [pair.database(shop)]
        assert pair.database(neighbour) not in users
