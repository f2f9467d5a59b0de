"""A bound on new connections of one address to TLS entrypoints, as rules of the INPUT chain.

A handshake for a name without a certificate costs a question and may cost an order. The edge asks
with the name alone (Caddy's `ask`), so what a single visitor may start is bounded here, where the
address is known. A connection of this host itself is never bounded. What is too much is dropped,
not refused: a client tries again after a second, and gets through as soon as it is slower.
"""

from dataclasses import dataclass
from typing import Final

from berthmaster.adapters.firewall.rules import MARK, Rules, chain_of, is_marked

BURST_SECONDS: Final = 4  # so much of the rate at once: a page of a browser opens six connections
_NEW: Final = {
    "tcp": "--tcp-flags FIN,SYN,RST,ACK SYN",
    "udp": "-m conntrack --ctstate NEW",  # QUIC
}


@dataclass(frozen=True, slots=True)
class Limit:
    """New connections a second of each address to all of these ports together; 0: no bound."""

    per_second: int = 0
    ports: tuple[int, ...] = ()


def render_limit(block: str, limit: Limit) -> list[str]:
    """The rules, in their order; all count in one table, whose name changes with the rate because
    the kernel gives a table that it has out as it is.
    """
    if not limit.per_second:
        return []
    count = (
        f"-m hashlimit --hashlimit-above {limit.per_second}/sec"
        f" --hashlimit-burst {BURST_SECONDS * limit.per_second} --hashlimit-mode srcip"
        f" --hashlimit-name {_table(block)}{limit.per_second} {MARK} -j DROP"
    )
    return [
        f"-A INPUT ! -i lo -p {protocol} -m {protocol} --dport {port} {is_new} {count}"
        for port in sorted(set(limit.ports))
        for protocol, is_new in _NEW.items()
    ]


def render_change(block: str, limit: Limit, found: Rules) -> str:
    """Input for `iptables-restore --noflush`: these rules, and no others of this kind."""
    stale = [f"-D{rule[2:]}" for rule in _limits(block, found)]
    first = [f"-I INPUT 1 {rule.removeprefix('-A INPUT ')}" for rule in render_limit(block, limit)]
    return "\n".join(["*filter", *stale, *reversed(first), "COMMIT", ""])


def differences_of(block: str, limit: Limit, found: Rules) -> list[str]:
    """What is missing, too much, or behind a rule that is not Berthmaster's."""
    wanted, limits = render_limit(block, limit), _limits(block, found)
    said = [f"missing: {rule}" for rule in wanted if rule not in limits]
    said += [f"stale: {rule}" for rule in limits if rule not in wanted]
    begin = list(found.get("INPUT", ()))
    foreign = next((at for at, rule in enumerate(begin) if not is_marked(rule)), len(begin))
    if not said and limits != [rule for rule in begin[:foreign] if rule in limits]:
        said.append("not first: the bound on new connections")
    return said


def _limits(block: str, found: Rules) -> list[str]:
    name = f" --hashlimit-name {_table(block)}"
    return [rule for rule in found.get("INPUT", ()) if is_marked(rule) and name in rule]


def _table(block: str) -> str:
    return f"{chain_of(block)}-new-"
