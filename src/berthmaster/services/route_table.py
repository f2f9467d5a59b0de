"""Derives the gateway's table from the store: what the router should hold, and a way to rebuild it.

The router's memory and files are copies; this is the original. Warm releases stay attached, so that
a rollback is one switch.
"""

from berthmaster.domain.deployment import Deployment
from berthmaster.domain.hosting import attached, sharing
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import ForgetStack
from berthmaster.domain.release import Release
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.domain.routing import Backend, Doorway, HostClaim, Naming, Prefix, RouteTable
from berthmaster.domain.table import tidied
from berthmaster.planner.deploy import claims_of
from berthmaster.ports.outside import Outside


def derive_table(outside: Outside, without: frozenset[str] = frozenset()) -> RouteTable:
    """The table that the store's live and warm releases ask for; `without` names projects left out.

    Slots that they have lost are reserved again.
    """
    hosts: list[HostClaim] = []
    live: dict[str, str] = {}
    prefixes: list[Prefix] = []
    backends: list[Backend] = []
    pooled = _pooled(outside)
    for summary in outside.store.releases_in(ReleaseState.LIVE, ReleaseState.WARM):
        if summary.stack.project in without:
            continue
        release = outside.store.release(summary.stack, summary.number)
        if release is None or not release.routes:
            continue
        added = _attached(outside, release)
        prefixes += added.prefixes
        backends += added.backends
        if summary.state is ReleaseState.LIVE:
            live[release.stack.project] = release.key
            hosts += claims_of(release)
            hosts += _claims_of_pool(release, pooled)
    maintenance = frozenset(
        item.id.project for item in outside.store.stacks() if item.is_in_maintenance
    )
    return tidied(RouteTable(tuple(hosts), live, tuple(prefixes), tuple(backends), maintenance))


def claims_in_store(outside: Outside) -> list[HostClaim]:
    """The hosts of all live releases; only reads, while `derive_table` reserves lost slots."""
    pooled, claims = _pooled(outside), list[HostClaim]()
    for summary in outside.store.releases_in(ReleaseState.LIVE):
        release = outside.store.release(summary.stack, summary.number)
        if release is not None and release.routes:
            claims += (*claims_of(release), *_claims_of_pool(release, pooled))
    return claims


def _pooled(outside: Outside) -> dict[StackId, list[str]]:
    """Hosts of customers that share a stack, by stack; a tenant's own are in its release."""
    found: dict[StackId, list[str]] = {}
    for item in outside.store.domains():
        if item.is_routed and item.stack.tenant is None:
            found.setdefault(item.stack, []).append(item.host)
    return found


def _claims_of_pool(release: Release, pooled: dict[StackId, list[str]]) -> list[HostClaim]:
    hosts = pooled.get(release.stack, ())
    doorway = Doorway(release.entrypoint, release.naming)
    return [doorway.claim(host, release.stack.project) for host in hosts]


def wanted_table(
    outside: Outside, found: RouteTable, kept_stacks: frozenset[str] = frozenset()
) -> RouteTable:
    """The derived table, but what the router holds for stacks that are being changed right now.

    Between a switch and its record the router is ahead of the store: a rebuild must not turn it
    back. `kept_stacks` names projects that are left as they are, too. One that the router has lost
    is derived again, unless it is being ended: then it was detached on purpose.
    """
    unfinished = outside.store.unfinished()
    ending = {item.stack.project for item in unfinished if _forgets(item)}
    busy = {item.stack.project for item in unfinished} | kept_stacks
    busy = busy & _stacks_in(found) | ending
    derived = derive_table(outside, frozenset(busy))
    if not busy:
        return derived
    rest, kept = _part(derived, _stacks_in(derived) - busy), _part(found, busy)
    return tidied(
        RouteTable(
            (*rest.hosts, *kept.hosts),
            {**rest.live, **kept.live},
            (*rest.prefixes, *kept.prefixes),
            (*rest.backends, *kept.backends),
            rest.maintenance | kept.maintenance,
        )
    )


def _forgets(deployment: Deployment) -> bool:
    """Whether the stack is gone afterwards: destroyed, a tenant removed, a project given back."""
    return any(isinstance(step.action, ForgetStack) for step in deployment.plan.steps)


def compare_tables(wanted: RouteTable, found: RouteTable) -> tuple[str, ...]:
    """What differs, in words; empty when the router holds what the store says."""
    return (
        *_differences("host", _hosts(wanted), _hosts(found)),
        *_differences("live release of", dict(wanted.live), dict(found.live)),
        *_differences("route", _routes(wanted), _routes(found)),
        *_differences("slot", _slots(wanted), _slots(found)),
        *_differences("maintenance of", _pages(wanted), _pages(found)),
    )


def _stacks_in(table: RouteTable) -> set[str]:
    of_routes = {item.release.partition("/")[0] for item in table.prefixes}
    return {item.stack for item in table.hosts} | of_routes | table.live.keys() | table.maintenance


def _part(table: RouteTable, stacks: set[str]) -> RouteTable:
    """Only what belongs to these stacks."""
    prefixes = tuple(item for item in table.prefixes if item.release.partition("/")[0] in stacks)
    slots = {item.backend for item in prefixes}
    return RouteTable(
        tuple(item for item in table.hosts if item.stack in stacks),
        {stack: release for stack, release in table.live.items() if stack in stacks},
        prefixes,
        tuple(item for item in table.backends if item.slot in slots),
        table.maintenance & stacks,
    )


def _attached(outside: Outside, release: Release) -> RouteTable:
    slots = outside.store.reserve_slots(release.key, len(sharing(release.routes)))
    backends, prefixes = attached(release, slots)
    return RouteTable(prefixes=tuple(prefixes), backends=tuple(backends))


def _differences(what: str, wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    lines = []
    for key in sorted(wanted.keys() | found.keys()):
        if wanted.get(key) != found.get(key):
            should, does = wanted.get(key, "nothing"), found.get(key, "nothing")
            lines.append(f"{what} {key}: the store says {should}, the router has {does}")
    return lines


def _hosts(table: RouteTable) -> dict[str, str]:
    return {f"{item.host} on {item.entrypoint}": _owner(item) for item in table.hosts}


def _owner(item: HostClaim) -> str:
    words = {Naming.HEADER: ", tenant by header", Naming.HOST: ", one tenant's", Naming.NONE: ""}
    return f"{item.stack}{words[item.naming]}"


def _routes(table: RouteTable) -> dict[str, str]:
    found = {}
    for item in tidied(table).prefixes:
        target = f"site {item.site}" if item.site else f"slot {item.backend}"
        place = f"{item.release} {item.host or ''}{item.path}"
        found[place] = target + (" stripped" if item.strip else "")
    return found


def _slots(table: RouteTable) -> dict[str, str]:
    return {str(item.slot): _servers(item) for item in table.backends}


def _servers(item: Backend) -> str:
    most = f", at most {item.limit} requests at once" if item.limit else ""
    return f"{', '.join(item.servers)}{most}"


def _pages(table: RouteTable) -> dict[str, str]:
    return dict.fromkeys(table.maintenance, "on")
