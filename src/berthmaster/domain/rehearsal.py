"""The copy of an environment beside it: its address, and what `berth.yaml` means for it; pure.

`app@prod/rehearsal` is a stack like any other. What the environment has, it has of its own: hosts,
database, volumes, secrets. Nothing that production asks of its deploys is asked of it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from berthmaster.domain.hosting import suffix_of
from berthmaster.domain.names import StackId
from berthmaster.domain.spec import AppSpec, EnvironmentSpec

REHEARSAL: Final = "rehearsal"  # where a tenant's name would stand


def copy_of(stack: StackId) -> StackId:
    """The address of an environment's copy."""
    return StackId(stack.app, stack.environment, REHEARSAL)


def production_of(copy: StackId) -> StackId:
    """The environment that a copy is of."""
    return StackId(copy.app, copy.environment)


def rehearsed(spec: AppSpec, there: EnvironmentSpec, secrets: str) -> AppSpec:
    """`berth.yaml` for the copy of an environment, whose secrets lie in a folder of its own."""
    own = spec.rehearsal

    def moved(hosts: Sequence[str]) -> tuple[str, ...]:
        return tuple(copied_host(host, there.hosts, own.domain) for host in hosts)

    changed = replace(
        there,
        compose=(*there.compose, *(name for name in own.compose if name not in there.compose)),
        hosts=moved(there.hosts),
        secrets=secrets,
        tenant=REHEARSAL,
        values=dict(own.env),
        rehearsal=own,
        verified_in=None,
        needs_approval=False,
    )
    smoke = (
        replace(item, host=copied_host(item.host, there.hosts, own.domain)) if item.host else item
        for item in spec.smoke
    )
    return replace(
        spec,
        environments={**spec.environments, there.name: changed},
        routes=tuple(replace(item, hosts=moved(item.hosts)) for item in spec.routes),
        sites=tuple(replace(item, hosts=moved(item.hosts)) for item in spec.sites),
        jobs=(*own.jobs, *spec.jobs),
        smoke=tuple(smoke),
    )


def copied_host(host: str, hosts: Sequence[str], domain: str | None) -> str:
    """What a host of the environment is called in its copy.

    `shop.example.com` is `rehearsal.shop.example.com`, or `shop-example-com.DOMAIN`; a name below a
    suffix stays below the copy's suffix, so that `*.` still covers it.
    """
    suffix = suffix_of(host)
    if host not in hosts and suffix in hosts:
        label = host.partition(".")[0]
        return f"{label}.{_copied(suffix, domain).removeprefix('*.')}"
    return _copied(host, domain)


def _copied(host: str, domain: str | None) -> str:
    star, rest = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    name = f"{rest.replace('.', '-')}.{domain}" if domain else f"{REHEARSAL}.{rest}"
    return star + name
