"""The rules of a redirect as text: a chain of ours in the `nat` table, hooked in before Docker's.

Only new connections go through that table: open ones stay with whoever took them. What was led
elsewhere is let in whatever the host's own rules say of the second port, because they were written
for the first.
"""

import re
from collections.abc import Sequence
from typing import Final

from berthmaster.adapters.firewall.rules import Rules, chain_of
from berthmaster.domain.takeover import Redirected

HOOKS: Final = ("PREROUTING", "OUTPUT")  # from outside and from containers; from this host
_REDIRECT: Final = re.compile(r"-p (\w+) .*--dport (\d+) .*-j REDIRECT --to-ports (\d+)$")
_PORTS: Final = re.compile(r"--dports? ([\d:,]+)")
_NARROW: Final = re.compile(r" (-s|-d|-p|-i|--ctstate|--state|--dports?|-m set) ")


def render_redirect(block: str, ports: Sequence[Redirected], nat: Rules, filters: Rules) -> str:
    """Input for `iptables-restore --noflush`: what is let in first, then where it is led."""
    chain = chain_of(block)
    lines = ["*filter", *[f"-D{rule[2:]}" for rule in _let_in(block, filters)]]
    lines += [f"-I INPUT 1 {_admission(block, item)}" for item in ports]
    lines += ["COMMIT", "*nat", f":{chain} - [0:0]"]
    lines += [f"-A {chain} {_leads(block, item)}" for item in ports]
    lines += [f"-D{rule[2:]}" for rule in _hooked(block, nat)]
    if ports:
        lines += [f"-I {hook} 1 {_hook(block)}" for hook in HOOKS]
    else:
        lines.append(f"-X {chain}")
    return "\n".join([*lines, "COMMIT", ""])


def parse_redirect(block: str, nat: Rules) -> tuple[Redirected, ...]:
    """What new connections are led to now; nothing while a hook is missing."""
    if len(_hooked(block, nat)) < len(HOOKS):
        return ()
    found = [_REDIRECT.search(rule) for rule in nat.get(chain_of(block), ())]
    return tuple(Redirected(int(one[2]), int(one[3]), one[1]) for one in found if one)


def is_right(block: str, ports: Sequence[Redirected], nat: Rules, filters: Rules) -> bool:
    """Whether nothing is to be done."""
    admitted = len(_let_in(block, filters))
    if not ports:
        return chain_of(block) not in nat and not admitted
    return set(parse_redirect(block, nat)) == set(ports) and admitted == len(ports)


def refused_ports(ports: Sequence[int], policy: str, filters: Rules) -> tuple[int, ...]:
    """Ports that a closed INPUT chain has no rule for; none where everything is let in."""
    shuts = ("-j DROP", "-j REJECT")
    is_closed = policy == "DROP" or any(
        any(word in rule for word in shuts) and not _NARROW.search(rule)
        for rule in filters.get("INPUT", ())
    )
    if not is_closed:
        return ()
    accepted = [
        text
        for chain, rules in filters.items()
        if chain not in ("FORWARD", "OUTPUT") and not chain.startswith("DOCKER")
        for rule in rules
        if rule.endswith("-j ACCEPT")
        for found in _PORTS.findall(rule)
        for text in found.split(",")
    ]
    return tuple(port for port in ports if not any(_holds(text, port) for text in accepted))


def _holds(text: str, port: int) -> bool:
    first, _, last = text.partition(":")
    return int(first or 0) <= port <= int(last or first)


def _mark(block: str) -> str:
    return f"-m comment --comment berthmaster-{block.replace('/', '-')}"


def _leads(block: str, item: Redirected) -> str:
    where = f"-p {item.protocol} -m {item.protocol} --dport {item.port}"
    return f"{where} {_mark(block)} -j REDIRECT --to-ports {item.to}"


def _hook(block: str) -> str:
    return f"-m addrtype --dst-type LOCAL {_mark(block)} -j {chain_of(block)}"


def _admission(block: str, item: Redirected) -> str:
    where = f"-p {item.protocol} -m {item.protocol} --dport {item.to}"
    was = f"-m conntrack --ctstate DNAT --ctorigdstport {item.port}"
    return f"{where} {was} {_mark(block)} -j ACCEPT"


def _hooked(block: str, nat: Rules) -> list[str]:
    end = f"-j {chain_of(block)}"
    return [rule for hook in HOOKS for rule in nat.get(hook, ()) if rule.endswith(end)]


def _let_in(block: str, filters: Rules) -> list[str]:
    mark = f"--comment berthmaster-{block.replace('/', '-')} "
    return [rule for rule in filters.get("INPUT", ()) if mark in rule and "--ctstate DNAT" in rule]
