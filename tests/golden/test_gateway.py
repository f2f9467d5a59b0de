"""The gateway's static configurations as text; `UPDATE_GOLDEN=1` writes them."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from berthmaster.adapters.caddy import config as caddy
from berthmaster.adapters.firewall.rules import render_restore
from berthmaster.adapters.gateway.process import edge_paths
from berthmaster.adapters.haproxy import config as haproxy
from berthmaster.adapters.haproxy.layout import Layout, PoolSize
from berthmaster.adapters.haproxy.table import render_entries, render_map, render_pool
from berthmaster.domain.routing import (
    Backend,
    Entrypoint,
    HostClaim,
    Naming,
    Prefix,
    RouteTable,
    Tls,
)

FOLDER = Path(__file__).parent / "gateway"
LAYOUT = Layout(Path("/var/lib/berthmaster/gateway"))
PUBLIC = (
    Entrypoint("http", 80, redirect_to="https"),
    Entrypoint("https", 443, tls=Tls.ACME, trusted_proxies=("192.0.2.0/24",)),
)
STEPS = ((1_764_547_200, 300), (1_767_225_600, 86_400))
MARKED = haproxy.RouterOptions(mark="0123456789abcdef", hsts_steps=STEPS)
TUNNEL = (Entrypoint("tunnel", 8081, trusted_proxies=("127.0.0.0/8",)),)
ACME = caddy.EdgeOptions(acme_directory="https://ca.test/dir", acme_email="ops@example.com")
TABLE = RouteTable(
    hosts=(
        HostClaim("https", "*.shop.test", "shop-prod"),
        HostClaim("https", "a.b", "blog-prod"),
        HostClaim("https", "api.test", "care-prod", Naming.HEADER),
        HostClaim("https", "acme.test", "care-prod", Naming.HOST),
    ),
    live={"shop-prod": "shop-prod/r7"},
    prefixes=(
        Prefix("shop-prod/r7", "/", site="web"),
        Prefix("shop-prod/r7", "/api", 2),
        Prefix("shop-prod/r7", "/old/api", 1, strip=True),
        Prefix("shop-prod/r7", "/v2", 2, host="api.shop.test"),
    ),
    backends=(Backend(1, ("10.201.0.2:80",), 50), Backend(2, ("10.201.0.3:80", "10.201.0.4:80"))),
    maintenance=frozenset({"blog-prod"}),
)


def maps() -> str:
    entries = render_entries(TABLE)
    return "\n".join(f"# {name}\n{render_map(one)}" for name, one in sorted(entries.items()))


TEXTS: dict[str, Callable[[], str]] = {
    "haproxy_public.cfg": lambda: haproxy.render_config(LAYOUT, PUBLIC, MARKED),
    "haproxy_tunnel.cfg": lambda: haproxy.render_config(LAYOUT, TUNNEL),
    "pool.cfg": lambda: render_pool(TABLE.backends, PoolSize(3, 2)),
    "maps.txt": maps,
    "caddy_public.json": lambda: caddy.render_config(edge_paths(LAYOUT), PUBLIC, ACME),
    "caddy_permission.json": lambda: caddy.render_config(
        edge_paths(LAYOUT), PUBLIC, replace(ACME, asks_by_module=True)
    ),
    "caddy_sites_only.json": lambda: caddy.render_config(edge_paths(LAYOUT), TUNNEL),
    "firewall.txt": lambda: render_restore("10.201.0.0/16", (443, 80), (), "DOCKER-USER"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_configuration_reads_as_it_was_reviewed(name: str) -> None:
    text, path = TEXTS[name](), FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()
