"""Which hosts a new tenant gets: `<slug>.<suffix>`, and a domain that was named for it.

A host is taken here, in the store; the deployment that follows claims it in the router.
"""

from berthmaster.domain.domainpolicy import policy_of
from berthmaster.domain.errors import GatewayRefused, InvalidSpec, NotAllowed
from berthmaster.domain.names import StackId, check_host
from berthmaster.domain.spec import AppSpec
from berthmaster.domain.tenancy import Domain
from berthmaster.ports.outside import Outside
from berthmaster.services.domains.names import refuse_bad, refuse_split


def addresses_of(spec: AppSpec, stack: StackId, domain: str | None) -> tuple[Domain, ...]:
    """The hosts of a tenant, the primary one first; raises `InvalidSpec` when there is none."""
    slug = stack.tenant or ""
    suffix = spec.tenancy.suffix(stack.environment) if spec.tenancy else None
    own = Domain(check_host(f"{slug}.{suffix}"), stack, slug) if suffix else None
    given = _given(spec, stack, domain) if domain else None
    if own is None and given is None:
        raise InvalidSpec(
            f"{stack} would have no address: berth.yaml has no `tenancy.domain`",
            next_command=f"write tenancy: {{domain: SUFFIX}}, or give {stack} a --domain",
        )
    found = tuple(item for item in (given, own) if item is not None)
    for item in found:
        refuse_bad(policy_of(spec, stack.environment), item.host, slug)
    return found


def _given(spec: AppSpec, stack: StackId, domain: str) -> Domain:
    host = check_host(domain)
    suffixes = {*spec.domains.suffixes, *(spec.tenancy.suffixes.values() if spec.tenancy else ())}
    is_ours = any(host.endswith(f".{suffix.removeprefix('*.')}") for suffix in suffixes)
    if not is_ours and not spec.domains.may_be_custom:
        raise NotAllowed(
            f"{host} is below no suffix of {spec.app}",
            next_command="write domains: {custom: true} into berth.yaml if tenants may bring names",
        )
    return Domain(host, stack, stack.tenant, is_primary=True, is_custom=not is_ours)


async def refuse_taken(outside: Outside, entrypoint: str, domains: tuple[Domain, ...]) -> None:
    """Raise `NotAllowed` for a host that another stack answers or another tenant has."""
    try:
        claims = (await outside.router.table()).hosts
    except GatewayRefused:
        claims = ()  # the deployment claims them, or is refused
    owners = {item.host: item.stack for item in claims if item.entrypoint == entrypoint}
    for item in domains:
        refuse_split(outside, item)
        held = outside.store.domain(item.host)
        if held is not None and held.stack != item.stack:
            raise NotAllowed(f"{item.host} belongs to {held.stack}")
        owner = owners.get(item.host, item.stack.project)
        if owner != item.stack.project:
            raise NotAllowed(f"{item.host} belongs to {owner}")
