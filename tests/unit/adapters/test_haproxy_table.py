"""The table as entries of maps and back, and the refusals of text that a map cannot hold."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berthmaster.adapters.haproxy.layout import Layout, PoolSize
from berthmaster.adapters.haproxy.runtime import Runtime, server_commands
from berthmaster.adapters.haproxy.table import (
    parse_limits,
    parse_map,
    parse_table,
    render_entries,
    render_map,
    render_pool,
)
from berthmaster.domain.errors import GatewayRefused
from berthmaster.domain.routing import Backend, HostClaim, Prefix, RouteTable
from berthmaster.domain.table import tidied

LAYOUT = Layout(Path("/gw"))
LIVE = str(LAYOUT.map("live"))
PATHS = st.from_regex(r"/|/[a-z]{1,4}(/[a-z]{1,4}){0,3}/?", fullmatch=True)
PREFIXES = st.builds(
    lambda number, path, slot, strip, host: Prefix(
        f"shop-prod/r{number}", path, slot, None, strip, host
    ),
    st.integers(1, 99),
    PATHS,
    st.integers(1, 1000),
    st.booleans(),
    st.sampled_from([None, "api.shop.test", "*.shop.test"]),
)


@given(st.lists(PREFIXES, unique_by=lambda item: (item.release, item.host, item.path.rstrip("/"))))
def test_what_is_written_to_the_maps_reads_back(prefixes: list[Prefix]) -> None:
    table = tidied(
        RouteTable(
            hosts=(HostClaim("https", "*.shop.test", "shop-prod"),),
            live={"shop-prod": "shop-prod/r1"},
            prefixes=tuple(prefixes),
        )
    )
    maps = {name: dict(parse_map(render_map(one))) for name, one in render_entries(table).items()}
    assert parse_table(maps, ()) == table


def test_only_releases_with_routes_of_single_hosts_are_marked() -> None:
    prefixes = (
        Prefix("blog-prod/r1", "/", 1),
        Prefix("shop-prod/r1", "/", 2),
        Prefix("shop-prod/r1", "/", 3, host="api.shop.test"),
    )
    assert render_entries(RouteTable(prefixes=prefixes))["prefixes"] == {
        "blog-prod/r1/": "b0001::",
        "shop-prod/r1/": "b0002:::h",
        "shop-prod/r1|api.shop.test/": "b0003::",
    }


@pytest.mark.parametrize("host", ["a b", "a;b", "a\nb", "ä.test"])
def test_a_host_that_could_be_read_as_a_command_is_refused(host: str) -> None:
    with pytest.raises(GatewayRefused, match="cannot be written"):
        render_entries(RouteTable(hosts=(HostClaim("https", host, "shop-prod"),)))


def test_the_pool_starts_with_its_addresses() -> None:
    filled = [Backend(2, ("10.201.0.2:80",)), Backend(3, ("10.201.0.3:80",), limit=8)]
    lines = render_pool(filled, PoolSize(3, 2)).splitlines()
    pool = [line for line in lines[2:] if not line.startswith("    http-request deny")]
    assert pool == [
        "backend b0001 from pool",
        "    server-template s 1-2 127.0.0.1:1 disabled",
        "backend b0002 from pool",
        "    server s1 10.201.0.2:80",
        "    server s2 127.0.0.1:1 disabled",
        "backend b0003 from pool",
        "    server s1 10.201.0.3:80 maxconn 8",
        "    server s2 127.0.0.1:1 disabled",
    ]
    assert len(lines) - 2 - len(pool) == 3  # each slot refuses what would wait too long


def test_a_switch_is_one_command() -> None:
    put, gone = Runtime(LAYOUT).map_commands("live", [("s", "s/r1")], {"s": "s/r2"})
    assert (put, gone) == ([f"set map {LIVE} s s/r2"], [])


def test_a_key_that_was_doubled_by_hand_is_made_single() -> None:
    doubled = [("s", "s/r1"), ("s", "s/r0")]
    put, gone = Runtime(LAYOUT).map_commands("live", doubled, {"s": "s/r1"})
    assert (put, gone) == ([f"del map {LIVE} s", f"add map {LIVE} s s/r1"], [])


def test_an_emptied_server_takes_nothing_before_it_loses_its_address() -> None:
    assert server_commands(Backend(1, ("10.201.0.2:80",)), Backend(1, ()), 1) == [
        "set server b0001/s1 state maint",
        "set server b0001/s1 addr 127.0.0.1 port 1",
    ]


@pytest.mark.parametrize(("limit", "said"), [(8, "8"), (None, "0")])
def test_a_server_is_limited_before_it_takes_a_request(limit: int | None, said: str) -> None:
    """And one that is filled again without a limit has none."""
    wanted = Backend(1, ("10.201.0.2:80",), limit)
    assert server_commands(Backend(1, ()), wanted, 1) == [
        f"set maxconn server b0001/s1 {said}",
        "set server b0001/s1 addr 10.201.0.2 port 80",
        "set server b0001/s1 state ready",
    ]
    assert server_commands(wanted, wanted, 1) == []


def test_a_limit_is_read_back_from_the_servers_that_are_filled() -> None:
    def row(slot: str, server: str, limit: str, status: str) -> str:
        return f"{slot},{server},0,0,0,0,{limit},{',' * 10}{status},1"

    lines = [
        "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr",
        row("b0001", "s1", "8", "no check"),
        row("b0001", "s2", "", "MAINT"),
        row("b0002", "s1", "", "no check"),
        row("b0003", "s1", "8", "no check"),
        row("b0003", "s2", "9", "no check"),  # somebody's hand: it will be set again
    ]
    assert parse_limits("\n".join(lines)) == {1: 8}


def test_a_folder_too_long_for_a_socket_is_refused() -> None:
    with pytest.raises(GatewayRefused, match="sockets"):
        Layout(Path("/" + "x" * 80))
