"""Which ports a host's own rules keep everybody out of."""

import pytest

from berthmaster.adapters.firewall.redirect import refused_ports

UFW = ["-A ufw-user-input -p tcp -m tcp --dport 443 -j ACCEPT"]


@pytest.mark.parametrize(
    ("policy", "filters", "refused"),
    [
        ("ACCEPT", {}, ()),
        ("DROP", {}, (80, 443)),
        ("DROP", {"ufw-user-input": UFW}, (80,)),
        ("ACCEPT", {"INPUT": ["-A INPUT -j REJECT --reject-with icmp-host-prohibited"]}, (80, 443)),
        ("ACCEPT", {"INPUT": ["-A INPUT -p tcp -m tcp --dport 25 -j DROP"]}, ()),
        ("ACCEPT", {"INPUT": ["-A INPUT -s 192.0.2.7/32 -j DROP"]}, ()),
        ("DROP", {"INPUT": ["-A INPUT -p tcp -m multiport --dports 22,80,443 -j ACCEPT"]}, ()),
        ("DROP", {"INPUT": ["-A INPUT -p tcp -m tcp --dport 1:100 -j ACCEPT"]}, (443,)),
        ("DROP", {"DOCKER": ["-A DOCKER -p tcp -m tcp --dport 443 -j ACCEPT"]}, (80, 443)),
    ],
)
def test_a_closed_host_lets_in_what_a_rule_names(
    policy: str, filters: dict[str, list[str]], refused: tuple[int, ...]
) -> None:
    assert refused_ports((80, 443), policy, filters) == refused
