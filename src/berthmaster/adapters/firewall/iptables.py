"""`iptables` as the firewall port: one chain of our own, hooked in first, replaced atomically.

Rules are in the kernel only: they are ensured again at every check before a deployment and by the
timer unit, which also puts them back after a reboot. The chain is IPv4 only: our networks have no
other addresses. A redirect and a bound on connections are of both, where the kernel has both.
"""

import asyncio
import contextlib
import ipaddress
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from berthmaster.adapters.firewall import limit, redirect, rules
from berthmaster.adapters.firewall.errors import FirewallFailed
from berthmaster.adapters.firewall.limit import Limit
from berthmaster.domain.takeover import Redirected

_SECONDS: Final = 60.0  # with `-w` it waits for ever
_HAS_IPV6: Final = Path("/proc/net/if_inet6")

_Rules = dict[str, list[str]]  # by chain, as `iptables -S` prints them


class Iptables:
    """`netns` names a network namespace to act in (for tests); by default it is the host's.

    `bound` is on new connections of one address from outside.
    """

    def __init__(self, netns: str | None = None, bound: Limit = Limit()) -> None:  # noqa: B008
        self._prefix = ("ip", "netns", "exec", netns) if netns else ()
        self._bound = bound

    async def ensure(self, block: str, ports: Sequence[int]) -> bool:
        """Make chain, hooks and bound what they should be; True when something was different."""
        block = str(ipaddress.IPv4Network(block))
        changed = await self._bind(block, self._bound)
        found = await self._observe()
        if not _differences(found, block, ports):
            return changed
        forward = _forward_chain(found)
        text = rules.render_restore(block, ports, _hooks(found, block), forward)
        await self._restore("iptables", text)
        return True

    async def remove(self, block: str) -> None:
        """Take chain, hooks and bound out; what is not there is no error."""
        block = str(ipaddress.IPv4Network(block))
        await self._bind(block, Limit())
        text = rules.render_removal(block, _hooks(await self._observe(), block))
        await self._restore("iptables", text)

    async def differences(self, block: str, ports: Sequence[int]) -> tuple[str, ...]:
        """What is missing, too much, or not in its place; in iptables' words."""
        block = str(ipaddress.IPv4Network(block))
        found = await self._observe()
        bound = limit.differences_of(block, self._bound, found)
        return (*_differences(found, block, ports), *bound)

    async def redirect(self, block: str, ports: Sequence[Redirected]) -> None:
        """IPv4 must take it; IPv6 where there is a table for it, else its ports wait a moment."""
        await self._redirect("iptables", block, ports)
        if _HAS_IPV6.exists():
            with contextlib.suppress(FirewallFailed):
                await self._redirect("ip6tables", block, ports)

    async def redirected(self, block: str) -> tuple[Redirected, ...]:
        """Of IPv4."""
        return redirect.parse_redirect(block, await self._observe("iptables", "nat"))

    async def refused(self, ports: Sequence[int]) -> tuple[int, ...]:
        """By the policy and the rules of the INPUT chain; rules of nftables' own are not seen."""
        text = await self._run(["iptables", "-w", "-S"])
        lines = (line.split() for line in text.splitlines() if line.startswith("-P INPUT "))
        policy = next((words[2] for words in lines), "ACCEPT")
        return redirect.refused_ports(ports, policy, _by_chain(text))

    async def _redirect(self, program: str, block: str, ports: Sequence[Redirected]) -> None:
        nat, filters = await self._observe(program, "nat"), await self._observe(program)
        if not redirect.is_right(block, ports, nat, filters):
            await self._restore(program, redirect.render_redirect(block, ports, nat, filters))

    async def _bind(self, block: str, bound: Limit) -> bool:
        """IPv4 must take it; IPv6 where there is a table for it, as with a redirect."""
        changed = await self._bind_in("iptables", block, bound)
        if _HAS_IPV6.exists():
            with contextlib.suppress(FirewallFailed):
                changed |= await self._bind_in("ip6tables", block, bound)
        return changed

    async def _bind_in(self, program: str, block: str, bound: Limit) -> bool:
        found = await self._observe(program)
        if not limit.differences_of(block, bound, found):
            return False
        await self._restore(program, limit.render_change(block, bound, found))
        return True

    async def _restore(self, program: str, text: str) -> None:
        await self._run([f"{program}-restore", "-w", "--noflush"], text)

    async def _observe(self, program: str = "iptables", table: str = "filter") -> _Rules:
        return _by_chain(await self._run([program, "-w", "-t", table, "-S"]))

    async def _run(self, command: Sequence[str], text: str = "") -> str:
        arguments = (*self._prefix, *command)
        try:
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise FirewallFailed(command[0], str(error)) from error
        try:
            async with asyncio.timeout(_SECONDS):
                output, complaint = await process.communicate(text.encode())
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
            if not isinstance(error, TimeoutError):
                raise
            why = f"it did not end in {_SECONDS:g} s: somebody else may hold its lock"
            raise FirewallFailed(command[0], why) from error
        if process.returncode != 0:
            raise FirewallFailed(command[0], complaint.decode(errors="replace").strip())
        return output.decode(errors="replace")


def _by_chain(text: str) -> _Rules:
    found: _Rules = {}
    for line in text.replace('"', "").splitlines():  # it quotes comments that have a dash
        kind, _, rest = line.partition(" ")
        chain = found.setdefault(rest.split(" ", 1)[0], [])
        if kind == "-A":
            chain.append(line)
    return found


def _differences(found: _Rules, block: str, ports: Sequence[int]) -> tuple[str, ...]:
    name = rules.chain_of(block)
    wanted, chain = rules.render_chain(block, ports), found.get(name, [])
    said = [f"missing: {rule}" for rule in wanted if rule not in chain]
    said += [f"foreign: {rule}" for rule in chain if rule not in wanted]
    if not said and chain != wanted:
        said.append(f"the rules of {name} are out of order")
    for hook in (rules.input_hook(block), rules.forward_hook(block, _forward_chain(found))):
        place = found.get(hook.split(" ")[1], [])
        before = list(itertools.takewhile(rules.is_marked, place))
        if before.count(hook) != 1:
            said.append(f"not first: {hook}")
        said += [f"stale: {rule}" for rule in place if rules.is_ours(rule, block) and rule != hook]
    return tuple(said)


def _hooks(found: _Rules, block: str) -> list[str]:
    places = ("INPUT", *rules.FORWARD_CHAINS)
    hooked = [rule for name in places for rule in found.get(name, [])]
    return [rule for rule in hooked if rules.is_ours(rule, block)]


def _forward_chain(found: _Rules) -> str:
    return next(name for name in rules.FORWARD_CHAINS if name in found)
