"""The bound on new connections, as rules."""

import pytest

from berthmaster.adapters.firewall.limit import Limit, differences_of, render_change, render_limit

BLOCK = "10.201.0.0/16"
ACCEPT = "-A INPUT -j ACCEPT"
RULES = render_limit(BLOCK, Limit(50, (443, 8443)))


def test_each_port_is_bound_over_tcp_and_quic_and_all_count_together() -> None:
    assert [rule.split(" -m ")[1] for rule in RULES] == [
        "tcp --dport 443 --tcp-flags FIN,SYN,RST,ACK SYN",
        "udp --dport 443",
        "tcp --dport 8443 --tcp-flags FIN,SYN,RST,ACK SYN",
        "udp --dport 8443",
    ]
    assert len({rule.partition(" -m hashlimit ")[2] for rule in RULES}) == 1


def test_no_bound_is_no_rule() -> None:
    assert render_limit(BLOCK, Limit(0, (443,))) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (RULES, []),
        ([*RULES, ACCEPT], []),
        ([ACCEPT, *RULES], ["not first"]),
        (RULES[:3], ["missing"]),
        ([*RULES, *render_limit(BLOCK, Limit(60, (443,)))], ["stale", "stale"]),
        ([*RULES, *render_limit("10.9.0.0/16", Limit(60, (443,)))], []),
    ],
)
def test_what_differs_is_said(found: list[str], said: list[str]) -> None:
    differences = differences_of(BLOCK, Limit(50, (443, 8443)), {"INPUT": found})
    assert [line.partition(":")[0] for line in differences] == said


def test_a_change_takes_the_old_rules_out_and_keeps_the_order_of_the_new() -> None:
    old = render_limit(BLOCK, Limit(5, (443,)))
    text = render_change(BLOCK, Limit(50, (443, 8443)), {"INPUT": [ACCEPT, *old]}).splitlines()
    assert (text[0], text[-1]) == ("*filter", "COMMIT")
    assert text[1:3] == [f"-D{rule[2:]}" for rule in old]
    placed = [line.removeprefix("-I INPUT 1 ") for line in reversed(text[3:-1])]
    assert placed == [rule.removeprefix("-A INPUT ") for rule in RULES]
