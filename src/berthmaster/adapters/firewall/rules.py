"""The rules of our chain as text, in the spelling in which `iptables -S` prints them.

Containers reach the host through the bridge's gateway address (D14). From our block only answers
and the entrypoints get past; RETURN, not ACCEPT, so that the host's own rules still have their say.
"""

from collections.abc import Mapping, Sequence
from typing import Final

FORWARD_CHAINS: Final = ("DOCKER-USER", "FORWARD")  # the first that exists takes the rule
MARK: Final = "-m comment --comment berthmaster"
_LINK_LOCAL: Final = "169.254.0.0/16"  # the metadata and credentials services of clouds

Rules = Mapping[str, Sequence[str]]  # by chain, as `iptables -S` prints them


def chain_of(block: str) -> str:
    """The chain's name, one for each block: two installations leave each other alone."""
    return f"BERTH-{block.replace('/', '-')}"  # iptables takes 28 characters


def render_chain(block: str, ports: Sequence[int]) -> list[str]:
    """The chain's rules, in order; QUIC comes to the same ports over UDP."""
    chain = chain_of(block)
    allowed = [
        f"-A {chain} -p {protocol} -m {protocol} --dport {port} {MARK} -j RETURN"
        for port in sorted(set(ports))
        for protocol in ("tcp", "udp")
    ]
    answers = f"-A {chain} -m conntrack --ctstate RELATED,ESTABLISHED {MARK} -j RETURN"
    return [answers, *allowed, f"-A {chain} {MARK} -j DROP"]


def input_hook(block: str) -> str:
    """The rule that sends our block through the chain, before every other."""
    return f"-A INPUT -s {block} {MARK} -j {chain_of(block)}"


def forward_hook(block: str, chain: str) -> str:
    """The rule that keeps our block from the cloud's link-local services."""
    return f"-A {chain} -s {block} -d {_LINK_LOCAL} {MARK} -j DROP"


def is_marked(rule: str) -> bool:
    """Whether some Berthmaster of this machine wrote a rule."""
    return "--comment berthmaster" in rule


def is_ours(rule: str, block: str) -> bool:
    """Whether a rule is about our block."""
    is_about = f" -s {block} " in rule or rule.endswith(f"-j {chain_of(block)}")
    return is_marked(rule) and is_about


def render_restore(block: str, ports: Sequence[int], stale: Sequence[str], forward: str) -> str:
    """Input for `iptables-restore --noflush`: one transaction to what should be."""
    hooks = [input_hook(block), forward_hook(block, forward)]
    return "\n".join(
        [
            "*filter",
            f":{chain_of(block)} - [0:0]",
            *render_chain(block, ports),
            *[f"-D{rule[2:]}" for rule in stale],
            *[_first(hook) for hook in hooks],
            "COMMIT",
            "",
        ]
    )


def render_removal(block: str, hooks: Sequence[str]) -> str:
    """Input for `iptables-restore --noflush` that leaves nothing of ours."""
    chain = chain_of(block)
    lines = [f"-D{rule[2:]}" for rule in hooks]
    return "\n".join(["*filter", f":{chain} - [0:0]", *lines, f"-X {chain}", "COMMIT", ""])


def _first(hook: str) -> str:
    _, chain, rest = hook.split(" ", 2)
    return f"-I {chain} 1 {rest}"
