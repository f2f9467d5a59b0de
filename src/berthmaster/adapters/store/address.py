"""Addresses: subnets of the server's block, slots of the router's pool."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from berthmaster.adapters.store.database import Database
from berthmaster.adapters.store.part import Part
from berthmaster.domain.errors import NoAddressLeft
from berthmaster.ports.clock import Clock


class Addresses(Part):
    """The part of the store about addresses."""

    def __init__(
        self, database: Database, clock: Clock, *, block: str, subnet_prefix: int, pool_slots: int
    ) -> None:
        super().__init__(database, clock)
        self._block = ipaddress.IPv4Network(block)
        self._prefix = subnet_prefix
        self._pool_slots = pool_slots

    def reserve_subnets(self, owners: Sequence[str], *, taken: Sequence[str]) -> dict[str, str]:
        """Give each owner the lowest free subnet, or the one it has; all or none.

        Raises `NoAddressLeft` when the block is used up or routes of this machine cover it.
        """
        with self._database.transaction():
            given = self.subnets()
            free = self._free_subnets([*taken, *given.values()])
            for owner in dict.fromkeys(owners):
                if owner not in given:
                    given[owner] = self._reserve(owner, next(free, None), taken)
        return {owner: given[owner] for owner in owners}

    def free_subnet(self, owner: str) -> None:
        """Take a network's subnet back."""
        self._database.write("DELETE FROM subnets WHERE owner = ?", owner)

    def subnets(self) -> dict[str, str]:
        """Every subnet that is given, by owner."""
        rows = self._database.rows("SELECT owner, subnet FROM subnets ORDER BY owner")
        return {row["owner"]: row["subnet"] for row in rows}

    def reserve_slots(self, owner: str, count: int) -> tuple[int, ...]:
        """Give a release the lowest free slots of the pool, counted from 1; those it has stay."""
        with self._database.transaction():
            rows = self._database.rows("SELECT slot, owner FROM slots ORDER BY slot")
            slots = [row["slot"] for row in rows if row["owner"] == owner]
            missing = max(0, count - len(slots))
            new = _lowest_free(missing, {row["slot"] for row in rows}, self._pool_slots)
            if len(new) < missing:
                raise self._pool_is_used_up(owner, missing)
            for slot in new:
                self._database.write("INSERT INTO slots (slot, owner) VALUES (?, ?)", slot, owner)
        return tuple(sorted([*slots, *new])[:count])

    def free_slots(self, owner: str) -> None:
        """Take a release's slots back."""
        self._database.write("DELETE FROM slots WHERE owner = ?", owner)

    def _reserve(self, owner: str, subnet: str | None, taken: Sequence[str]) -> str:
        if subnet is None:
            raise self._block_is_used_up(owner, taken)
        self._database.write("INSERT INTO subnets (owner, subnet) VALUES (?, ?)", owner, subnet)
        return subnet

    def _free_subnets(self, taken: Iterable[str]) -> Iterator[str]:
        size = 1 << (32 - self._prefix)
        first = int(self._block.network_address)
        is_taken = bytearray(self._block.num_addresses // size)
        for network in _ipv4(taken):
            low = max(0, (int(network.network_address) - first) // size)
            high = min(len(is_taken) - 1, (int(network.broadcast_address) - first) // size)
            for index in range(low, high + 1):
                is_taken[index] = 1
        return (
            str(ipaddress.IPv4Network((first + index * size, self._prefix)))
            for index, mark in enumerate(is_taken)
            if not mark
        )

    def _block_is_used_up(self, owner: str, taken: Sequence[str]) -> NoAddressLeft:
        cover = [str(net) for net in _ipv4(taken) if net.supernet_of(self._block)]
        why = (
            f"the route or network {cover[0]} of this machine covers it"
            if cover
            else f"{len(self.subnets())} subnets are given"
        )
        return NoAddressLeft(
            f"no /{self._prefix} is left in {self._block} for {owner}: {why}. "
            "Set another `address_block` in the settings; networks that exist keep their subnet",
            subject="addresses",
            next_command="berth status",
        )

    def _pool_is_used_up(self, owner: str, count: int) -> NoAddressLeft:
        return NoAddressLeft(
            f"the router's pool of {self._pool_slots} backends has no {count} left for {owner}. "
            "Raise `pool.backends` in the settings (a planned reload of the gateway)",
            subject="addresses",
            next_command="berth status",
        )


def _ipv4(networks: Iterable[str]) -> Iterator[ipaddress.IPv4Network]:
    for text in networks:
        network = ipaddress.ip_network(text, strict=False)
        # The default route is no claim to an address.
        if isinstance(network, ipaddress.IPv4Network) and network.prefixlen:
            yield network


def _lowest_free(count: int, taken: set[int], highest: int) -> list[int]:
    free = (slot for slot in range(1, highest + 1) if slot not in taken)
    return [slot for slot, _ in zip(free, range(count), strict=False)]
