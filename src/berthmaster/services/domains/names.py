"""Names of tenants: each is a row of the store and an entry of the router's map.

No process is started, reloaded or signalled, and no release is made: hosts belong to the stack. A
name that goes is answered 421 from the next request on, and its certificate is deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from berthmaster.domain.domainpolicy import DomainPolicy, check_domain, counterpart
from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.hosting import is_covered
from berthmaster.domain.names import StackId, check_host
from berthmaster.domain.routing import HostClaim, Tls
from berthmaster.domain.tenancy import RECORD, WELL_KNOWN, Domain, Proof, new_token
from berthmaster.engine.lease import hold
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import Event
from berthmaster.services.domains.elsewhere import owner_elsewhere

DNS_SECONDS: Final = 5.0
HANDSHAKE_SECONDS: Final = 60.0  # an order with its validation
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class NewDomain:
    """What is asked for."""

    host: str
    stack: StackId
    tenant: str | None = None  # of a pooled app
    is_primary: bool = False
    is_vouched: bool = False  # the operator says that it is the tenant's


@dataclass(frozen=True, slots=True)
class Added:
    """What became of it."""

    domain: Domain
    is_routed: bool
    note: str = ""  # what the owner has to do, or what DNS says


async def add_domain(outside: Outside, wanted: NewDomain, policy: DomainPolicy) -> Added:
    """Add a name; a customer's own is routed once its owner has shown that it is theirs."""
    host = check_host(wanted.host)
    tenant = wanted.tenant or wanted.stack.tenant
    refuse_bad(policy, host, tenant or "")
    await _refuse_taken(outside, wanted.stack, host)
    is_custom = policy.suffix is not None and policy.canonical_label(host) is None
    needs_proof = is_custom and not wanted.is_vouched
    domain = Domain(
        host=host,
        stack=wanted.stack,
        tenant=tenant,
        is_primary=wanted.is_primary and not needs_proof,
        is_custom=is_custom,
        proof=Proof.PENDING if needs_proof else Proof.NONE,
        token=new_token() if needs_proof else "",
        added_at=outside.clock.now(),
        added_by=outside.actor,
    )
    refuse_split(outside, domain)
    async with hold(outside.store, str(wanted.stack), what="berth domain add") as lease:
        outside.store.add_domain(domain)
        domain = outside.store.domain(host) or domain
        if wanted.is_primary and domain.is_routed:
            outside.store.set_primary(host)
        if domain.is_routed:
            await _claim(outside, domain, lease.fence)
        _note(outside, wanted.stack, "domain_added", host)
    return Added(domain, domain.is_routed, _instructions(domain))


async def prove_domain(outside: Outside, host: str) -> Added:
    """Look for the token in DNS, then over HTTP; routes the name when it is there."""
    from berthmaster.services.domains.proof import find_missing_proof

    domain = _known(outside, host)
    if domain.proof is not Proof.PENDING:
        return Added(domain, True, "it is routed already")
    if missing := await find_missing_proof(outside, domain):
        raise NotAllowed(
            f"{domain.host} is not proven: {missing}", next_command=_instructions(domain)
        )
    async with hold(outside.store, str(domain.stack), what="berth domain prove") as lease:
        _refuse_changed(outside, domain)
        outside.store.set_proof(domain.host, Proof.PROVEN)
        await _claim(outside, domain, lease.fence)
        _note(outside, domain.stack, "domain_proven", domain.host)
    return Added(replace(domain, proof=Proof.PROVEN), True)


async def make_primary(outside: Outside, host: str) -> Domain:
    """Make a routed name its tenant's primary one."""
    domain = _known(outside, host)
    if not domain.is_routed:
        raise NotAllowed(
            f"{domain.host} is not proven yet", next_command=f"berth domain prove {domain.host}"
        )
    async with hold(outside.store, str(domain.stack), what="berth domain primary"):
        outside.store.set_primary(domain.host)
        _note(outside, domain.stack, "domain_made_primary", domain.host)
    return replace(domain, is_primary=True)


async def remove_domain(outside: Outside, host: str) -> Domain:
    """Take a name away: 421 at once, its certificate deleted; not the primary one of several."""
    domain = _known(outside, host)
    others = [item for item in _same_tenant(outside, domain) if item.host != domain.host]
    if domain.is_primary and others:
        raise NotAllowed(
            f"{domain.host} is the primary domain of {domain.tenant or domain.stack}",
            next_command=f"berth domain primary {others[0].host}",
        )
    async with hold(outside.store, str(domain.stack), what="berth domain remove") as lease:
        outside.store.remove_domain(domain.host)
        await _release(outside, domain, lease.fence)
        _note(outside, domain.stack, "domain_removed", domain.host)
    return domain


async def move_domain(
    outside: Outside, host: str, to: StackId, tenant: str | None
) -> tuple[Domain, ...]:
    """Give a name to another stack or tenant; requests follow with one change of the map.

    An apex and its `www` move together. Returns what moved, the name that was asked for first.
    """
    domain = _known(outside, host)
    pair = _pair(outside, domain)
    if (domain.stack.app, domain.stack.environment) != (to.app, to.environment):
        raise NotAllowed(
            f"{domain.host} stays within {domain.stack.app}@{domain.stack.environment}"
        )
    primary = next((item for item in pair if item.is_primary), None)
    if primary is not None and len(_same_tenant(outside, domain)) > len(pair):
        raise NotAllowed(
            f"{primary.host} is the primary domain of {domain.tenant or domain.stack}",
            next_command="berth domain list, then berth domain primary HOST",
        )
    names = sorted({str(domain.stack), str(to)})
    async with hold(outside.store, names[0], what="berth domain move") as first:
        if len(names) == 1:
            await _move(outside, pair, to, tenant, {names[0]: first.fence})
        else:
            async with hold(outside.store, names[1], what="berth domain move") as second:
                fences = {names[0]: first.fence, names[1]: second.fence}
                await _move(outside, pair, to, tenant, fences)
    return tuple(outside.store.domain(item.host) or item for item in pair)


def forget_certificates(outside: Outside, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Delete what the edge has of departed names; those that somebody still has stay."""
    gone = [host for host in hosts if outside.store.domain(host) is None]
    return outside.certificates.forget(gone)


async def warm_certificate(outside: Outside, domain: Domain) -> str:
    """Have the edge order the certificate before the first visitor; returns what came of it."""
    doorway = outside.store.doorway(domain.stack)
    entrypoints = {item.name: item for item in outside.entrypoints}
    entrypoint = entrypoints.get(doorway.entrypoint) if doorway else None
    if entrypoint is None or entrypoint.tls is Tls.OFF or not domain.is_routed:
        return ""
    found = await outside.host.resolve(domain.host, timeout_seconds=DNS_SECONDS)
    if not set(found or ()) & outside.host.addresses():
        shown = ", ".join(found or ()) or "nowhere"
        return f"DNS says {shown}, not this machine: the certificate comes with the first visitor"
    shown_now = await outside.prober.certificate(
        LOOPBACK, entrypoint.port, domain.host, timeout_seconds=HANDSHAKE_SECONDS
    )
    if shown_now.error or not is_covered(domain.host, shown_now.names):
        return f"no certificate yet: {shown_now.error or 'another one was shown'}"
    return f"its certificate is there, by {shown_now.issuer}"


async def _move(
    outside: Outside,
    pair: Sequence[Domain],
    to: StackId,
    tenant: str | None,
    fences: dict[str, int],
) -> None:
    with outside.store.transaction():
        for old in sorted(pair, key=lambda item: not item.is_primary):  # the first one becomes it
            new = replace(old, stack=to, tenant=tenant or to.tenant, is_primary=False)
            outside.store.remove_domain(old.host)
            outside.store.add_domain(new)
            _note(outside, to, "domain_moved", f"{new.host} from {old.tenant or old.stack}")
    for old in pair:
        if old.stack != to and old.is_routed:
            claims = _claims(outside, old)
            await outside.router.release_hosts(claims, fence=fences[str(old.stack)])
            await _claim(outside, replace(old, stack=to), fences[str(to)])


def refuse_split(outside: Outside, domain: Domain) -> None:
    """Raise `NotAllowed` for a customer's name whose apex, or `www`, another tenant has."""
    held = outside.store.domain(counterpart(domain.host)) if domain.is_custom else None
    if held is not None and (held.stack, held.tenant) != (domain.stack, domain.tenant):
        owner = held.tenant or held.stack
        raise NotAllowed(
            f"{domain.host}: {held.host} is {owner}'s, and both are one customer's [apex]",
            next_command=f"berth domain move {held.host}, which takes both along",
        )


def refuse_bad(policy: DomainPolicy, host: str, tenant: str) -> None:
    """Raise `NotAllowed` for a name that the policy does not take."""
    if wrong := check_domain(policy, host, tenant):
        rule, what = wrong[0]
        raise NotAllowed(f"{host}: {what} [{rule}]", next_command="berth domain check")


async def _refuse_taken(outside: Outside, stack: StackId, host: str) -> None:
    held = outside.store.domain(host)
    owner = str(held.stack) if held and held.stack != stack else ""
    owner = owner or await owner_elsewhere(outside, stack, host)
    if owner:
        raise NotAllowed(f"{host} belongs to {owner}", next_command="berth domain move")


def _refuse_changed(outside: Outside, domain: Domain) -> None:
    """Raise `NotAllowed` for a name that is not what it was when it was looked for in DNS."""
    now = _known(outside, domain.host)
    if (now.stack, now.tenant, now.token) != (domain.stack, domain.tenant, domain.token):
        raise NotAllowed(
            f"{domain.host} has changed hands: it is {now.tenant or now.stack}'s now",
            next_command=f"berth domain prove {domain.host}",
        )


def _instructions(domain: Domain) -> str:
    if domain.proof is not Proof.PENDING:
        return ""
    return (
        f'its owner adds the TXT record {RECORD}.{domain.host} "{domain.token}", or serves that'
        f" text at http://{domain.host}{WELL_KNOWN}, or has DNS point the name to this server;"
        f" then: berth domain prove {domain.host}"
    )


def _known(outside: Outside, host: str) -> Domain:
    found = outside.store.domain(check_host(host))
    if found is None:
        raise NotFound(f"no tenant has the domain {host}", next_command="berth domain list")
    return found


def _pair(outside: Outside, domain: Domain) -> list[Domain]:
    """A name, and with a customer's own the other one of `acme.de` and `www.acme.de`."""
    held = outside.store.domain(counterpart(domain.host)) if domain.is_custom else None
    is_theirs = held is not None and (held.stack, held.tenant) == (domain.stack, domain.tenant)
    return [domain, held] if held is not None and is_theirs else [domain]


def _same_tenant(outside: Outside, domain: Domain) -> list[Domain]:
    rows = outside.store.domains(domain.stack)
    return [item for item in rows if item.tenant == domain.tenant]


def _claims(outside: Outside, domain: Domain) -> list[HostClaim]:
    doorway = outside.store.doorway(domain.stack)
    return [doorway.claim(domain.host, domain.stack.project)] if doorway else []


async def _claim(outside: Outside, domain: Domain, fence: int) -> None:
    if claims := _claims(outside, domain):
        await outside.router.claim_hosts(claims, fence=fence)


async def _release(outside: Outside, domain: Domain, fence: int) -> None:
    if claims := _claims(outside, domain):
        await outside.router.release_hosts(claims, fence=fence)
    forget_certificates(outside, (domain.host,))


def _note(outside: Outside, stack: StackId, what: str, host: str) -> None:
    outside.store.record(Event(outside.clock.now(), outside.actor, str(stack), what, host))
