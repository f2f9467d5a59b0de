"""Where a tunnel leads each host, and what is wrong with its credentials."""

from dataclasses import replace

import pytest

from berthmaster.domain.routing import Entrypoint, HostClaim, Tls
from berthmaster.domain.tunnel import CredentialsFile, Tunnel, credentials_problems, render_tunnel

ID = "6ff42ae2-765d-4adf-8112-31c55c1551ef"
TUNNEL = Tunnel(ID, f"/etc/cloudflared/{ID}.json", "/etc/cloudflared/config.yml", 20241)
GOOD = CredentialsFile(0o600, 0, ID)
ENTRYPOINTS = (
    Entrypoint("http", 80),
    Entrypoint("https", 443, Tls.ACME),
    Entrypoint("stage", 8081),
    Entrypoint("inside", 8443, Tls.LOCAL),
)


def rules(*claims: HostClaim) -> str:
    return render_tunnel(TUNNEL, ENTRYPOINTS, claims).partition("ingress:\n")[2]


@pytest.mark.requirement("R354")
def test_each_host_leads_to_the_entrypoint_that_it_was_claimed_on() -> None:
    found = rules(
        HostClaim("stage", "stage.shop.test", "shop-stage"),
        HostClaim("http", "shop.test", "shop-prod"),
    )
    assert found == (
        '  - hostname: "shop.test"\n'
        "    service: http://127.0.0.1:80\n"
        '  - hostname: "stage.shop.test"\n'
        "    service: http://127.0.0.1:8081\n"
        "  - service: http_status:404\n"
    )


def test_an_entrypoint_with_tls_is_asked_for_by_name() -> None:
    assert rules(HostClaim("https", "shop.test", "shop-prod")) == (
        '  - hostname: "shop.test"\n'
        "    service: https://127.0.0.1:443\n"
        "    originRequest:\n"
        '      originServerName: "shop.test"\n'
        "  - service: http_status:404\n"
    )
    assert "noTLSVerify: true" in rules(HostClaim("inside", "shop.test", "shop-prod"))


def test_exact_hosts_come_before_suffixes_and_the_rest_is_404() -> None:
    found = rules(HostClaim("http", "*.a.test", "a"), HostClaim("http", "z.a.test", "z"))
    assert found.index("z.a.test") < found.index("*.a.test") < found.index("http_status:404")


def test_a_host_on_no_entrypoint_of_the_server_is_left_out() -> None:
    assert rules(HostClaim("gone", "shop.test", "shop-prod")) == "  - service: http_status:404\n"


def test_the_head_names_tunnel_credentials_and_metrics() -> None:
    head = render_tunnel(TUNNEL, ENTRYPOINTS, ()).splitlines()
    assert head[1:4] == [
        f"tunnel: {ID}",
        f'credentials-file: "/etc/cloudflared/{ID}.json"',
        "metrics: 127.0.0.1:20241",
    ]


@pytest.mark.requirement("R355")
@pytest.mark.parametrize(
    ("tunnel", "found", "words"),
    [
        (TUNNEL, None, "is not there"),
        (replace(TUNNEL, credentials="/etc/cloudflared/tunnel.json"), GOOD, "is not named"),
        (TUNNEL, replace(GOOD, tunnel_id="other"), "is of other, not of"),
        (TUNNEL, replace(GOOD, tunnel_id=None), "is of no tunnel"),
        (TUNNEL, replace(GOOD, mode=0o644), "has mode 0644: chmod 600"),
        (TUNNEL, replace(GOOD, uid=1000), "belongs to uid 1000"),
    ],
)
def test_what_is_wrong_with_the_credentials_is_named(
    tunnel: Tunnel, found: CredentialsFile | None, words: str
) -> None:
    (problem,) = credentials_problems(tunnel, found, [0])
    assert words in problem


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_of_the_right_tunnel_is_good(mode: int) -> None:
    assert credentials_problems(TUNNEL, replace(GOOD, mode=mode), [0]) == ()
