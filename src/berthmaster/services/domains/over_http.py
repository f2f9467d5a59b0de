"""A pooled app's own list of domains over HTTP, asked of a container that serves; read only.

Not through the gateway: what answers it need not be public. An app that is not deployed, or whose
live release does not know the path yet, has no list.
"""

import json
from pathlib import Path
from typing import Any, Final

from berthmaster.domain.domainpolicy import DomainRow
from berthmaster.domain.errors import NotAllowed, OutsideError
from berthmaster.domain.hosting import public_host
from berthmaster.domain.names import StackId
from berthmaster.domain.probing import Fetch
from berthmaster.domain.release import Release, Upstream
from berthmaster.domain.spec import AppSpec, HttpSource
from berthmaster.ports.outside import Outside
from berthmaster.services.domains.elsewhere import live_release

MOST_BYTES: Final = 16 * 1024 * 1024  # about 100,000 rows
SECONDS: Final = 30.0
NOT_FOUND: Final = 404
_COLUMNS: Final = ("id", "domain", "is_primary", "tenant")


async def ask_rows(
    outside: Outside, stack: StackId, spec: AppSpec, source: HttpSource
) -> tuple[DomainRow, ...] | None:
    """The rows, in the app's order; raises `OutsideError` when it gives none."""
    release = live_release(outside, stack)
    if release is None:
        return None
    upstream = _upstream(release, source)
    wanted = Fetch(
        upstream.address,
        upstream.port,
        source.path,
        public_host(release),
        token=_token(outside, spec, stack.environment, source.token),
        forwarded_proto="https",
        most_bytes=MOST_BYTES,
        timeout_seconds=SECONDS,
    )
    found = await outside.prober.fetch(wanted)
    if found.status == NOT_FOUND:
        return None
    if found.status != 200:
        said = found.error or f"{source.path} answered {found.status}"
        raise OutsideError(
            f"{stack} did not give its domains: {said}",
            subject=upstream.container,
            next_command=f"berth logs {stack} {source.service}",
        )
    return _rows(found.body)


def _upstream(release: Release, source: HttpSource) -> Upstream:
    for route in release.routes:
        if route.service == source.service and route.upstreams:
            return route.upstreams[0]
    raise NotAllowed(
        f"domains.source.service: {release.stack} has no routed service {source.service}",
        next_command="name one that a route leads to, or a database without `path`",
    )


def _token(outside: Outside, spec: AppSpec, environment: str, name: str) -> str:
    path = outside.specs.secret_files(spec, environment).get(name)
    if path is None:
        raise NotAllowed(
            f"domains.source.token: {environment} has no secret {name}",
            next_command=f"berth secrets set {environment} {name}",
        )
    return Path(path).read_text(encoding="utf-8").strip()


def _rows(body: str) -> tuple[DomainRow, ...]:
    try:
        return tuple(_row(item) for item in json.loads(body))
    except (ValueError, TypeError, KeyError) as error:
        raise NotAllowed(
            f"the app's list of domains is no JSON list of {', '.join(_COLUMNS)} ({error})",
            next_command="correct what domains.source.path answers",
        ) from error


def _row(item: dict[str, Any]) -> DomainRow:
    number, domain, is_primary, tenant = (item[name] for name in _COLUMNS)
    if not isinstance(is_primary, bool) or not isinstance(domain, str):
        raise TypeError(f"domain must be a text and is_primary true or false in {item!r:.200}")
    return DomainRow(str(number), domain, is_primary, str(tenant))
