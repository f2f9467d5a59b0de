"""Pure changes of the route table: what the router and its in-memory twin both accept and refuse.

Kept apart from `routing` (the values) so that no adapter invents its own rules. Nothing here does
I/O.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Final

from berthmaster.domain.errors import GatewayRefused, LeaseLost, NoAddressLeft
from berthmaster.domain.routing import Backend, HostClaim, Prefix, RouteTable

SUBJECT: Final = "gateway"
STRIP_DEPTH: Final = 4  # segments that a stripped prefix may have: one rule of the router for each


def attach(
    table: RouteTable, stack: str, backends: Sequence[Backend], prefixes: Sequence[Prefix]
) -> RouteTable:
    """Add or replace a release's slots and prefixes.

    Raises `GatewayRefused` for a prefix of another stack, one without an upstream in the table,
    and a slot that another release holds.
    """
    fresh = tuple(_checked(stack, prefix) for prefix in prefixes)
    releases = {prefix.release for prefix in fresh}
    others = tuple(prefix for prefix in table.prefixes if prefix.release not in releases)
    slots = {backend.slot: backend for backend in backends}
    held = {prefix.backend for prefix in others if prefix.backend is not None}
    if taken := sorted(held & slots.keys()):
        raise _refused(f"slot {taken[0]} of the pool is held by another release")
    kept = tuple(item for item in table.backends if item.slot not in slots)
    changed = replace(table, prefixes=(*others, *fresh), backends=(*kept, *backends))
    _check_upstreams(changed, fresh)
    return _without_unused(tidied(changed), table, slots)


def detach(table: RouteTable, release: str) -> RouteTable:
    """Remove a release's prefixes and slots; raises `GatewayRefused` when it is live."""
    if release in table.live.values():
        raise _refused(f"{release} is live and cannot be detached")
    gone = {prefix.backend for prefix in table.prefixes if prefix.release == release}
    prefixes = tuple(prefix for prefix in table.prefixes if prefix.release != release)
    backends = tuple(backend for backend in table.backends if backend.slot not in gone)
    return replace(table, prefixes=prefixes, backends=backends)


def claim_hosts(table: RouteTable, claims: Sequence[HostClaim]) -> RouteTable:
    """Add hosts; raises `GatewayRefused` for a host that another stack has on that entrypoint."""
    owners = {(claim.entrypoint, claim.host): claim.stack for claim in table.hosts}
    for claim in claims:
        owner = owners.setdefault((claim.entrypoint, claim.host), claim.stack)
        if owner != claim.stack:
            raise _refused(f"{claim.host} on {claim.entrypoint} belongs to {owner}")
    claimed = {claim.place: claim for claim in (*table.hosts, *claims)}
    return tidied(replace(table, hosts=tuple(claimed.values())))


def release_hosts(table: RouteTable, claims: Sequence[HostClaim]) -> RouteTable:
    """Remove hosts; those that are not there, or another stack's, are left alone."""
    gone = {(claim.place, claim.stack) for claim in claims}
    kept = (claim for claim in table.hosts if (claim.place, claim.stack) not in gone)
    return replace(table, hosts=tuple(kept))


def switch(table: RouteTable, stack: str, release: str | None) -> RouteTable:
    """Make a release live, or nothing; raises `GatewayRefused` for one that is not attached."""
    live = {key: value for key, value in table.live.items() if key != stack}
    if release is None:
        return replace(table, live=live)
    _check_owner(stack, release)
    if not any(prefix.release == release for prefix in table.prefixes):
        raise _refused(f"{release} is not attached to the router")
    return tidied(replace(table, live={**live, stack: release}))


def set_maintenance(table: RouteTable, stack: str, is_on: bool) -> RouteTable:
    """Turn a stack's maintenance page on or off."""
    rest = table.maintenance - {stack}
    return replace(table, maintenance=rest | {stack} if is_on else rest)


def check_replacement(old: RouteTable, new: RouteTable) -> None:
    """Raise `GatewayRefused` when an empty table would replace a full one (D3)."""
    if is_empty(new) and not is_empty(old):
        raise _refused("an empty table must not replace a full one")
    for prefix in new.prefixes:
        _checked(prefix.release.partition("/")[0], prefix)
    _check_upstreams(new, new.prefixes)


def check_pool(backends: Iterable[Backend], *, slot_count: int, server_count: int) -> None:
    """Raise when a slot or its servers do not fit the pool, naming the setting to raise."""
    for backend in backends:
        if not 1 <= backend.slot <= slot_count:
            raise NoAddressLeft(
                f"slot {backend.slot} is outside the pool of {slot_count} backends:"
                " raise the setting pool.backends",
                subject=SUBJECT,
            )
        if len(backend.servers) > server_count:
            raise _refused(
                f"{len(backend.servers)} replicas do not fit a backend of {server_count} servers:"
                " raise the setting pool.servers"
            )


def check_fence(stack: str, last: int, fence: int) -> None:
    """Raise `LeaseLost` when a change carries a smaller number than the last for this stack."""
    if fence < last:
        raise LeaseLost(
            f"{stack}: the gateway took a change with lease number {last}; {fence} is stale",
            holder=f"lease number {last}",
            age_seconds=0.0,
            step=None,
        )


def is_empty(table: RouteTable) -> bool:
    """Whether the table routes nothing at all."""
    return not (table.hosts or table.live or table.prefixes or table.backends)


def tidied(table: RouteTable) -> RouteTable:
    """The same table in one order and with one spelling of each path."""
    prefixes = {_spelled(prefix) for prefix in table.prefixes}
    return RouteTable(
        hosts=tuple(sorted(set(table.hosts), key=attrgetter("entrypoint", "host"))),
        live=dict(sorted(table.live.items())),
        prefixes=tuple(sorted(prefixes, key=_place)),
        backends=tuple(sorted(table.backends, key=lambda item: item.slot)),
        maintenance=frozenset(table.maintenance),
    )


def _place(prefix: Prefix) -> tuple[str, str, str]:
    return prefix.release, prefix.host or "", prefix.path


def _checked(stack: str, prefix: Prefix) -> Prefix:
    _check_owner(stack, prefix.release)
    prefix = _spelled(prefix)
    if (prefix.backend is None) == (prefix.site is None):
        raise _refused(f"{prefix.release} {prefix.path}: exactly one of backend and site answers")
    if prefix.strip and prefix.path.count("/") > STRIP_DEPTH:
        raise _refused(f"{prefix.path}: at most {STRIP_DEPTH} segments can be stripped")
    return prefix


def _check_owner(stack: str, release: str) -> None:
    if release.partition("/")[0] != stack:
        raise _refused(f"{release} is no release of {stack}")


def _check_upstreams(table: RouteTable, prefixes: Sequence[Prefix]) -> None:
    slots = {backend.slot for backend in table.backends}
    for prefix in prefixes:
        if prefix.backend is not None and prefix.backend not in slots:
            raise _refused(f"{prefix.release} {prefix.path}: slot {prefix.backend} is empty")


def _without_unused(table: RouteTable, before: RouteTable, fresh: dict[int, Backend]) -> RouteTable:
    """Empty the slots that the release held before and holds no more."""
    used = {prefix.backend for prefix in table.prefixes} | fresh.keys()
    was_used = {prefix.backend for prefix in before.prefixes}
    dropped = {slot for slot in was_used if slot not in used}
    return replace(
        table, backends=tuple(item for item in table.backends if item.slot not in dropped)
    )


def _spelled(prefix: Prefix) -> Prefix:
    path = prefix.path.rstrip("/") or "/"
    return replace(prefix, path=path, strip=prefix.strip and path != "/")


def _refused(message: str) -> GatewayRefused:
    return GatewayRefused(message, subject=SUBJECT)
