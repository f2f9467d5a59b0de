"""A pooled app's own list of domains over HTTP, asked of a container that serves.

Changed only where the app takes changes, and then the list is read again: its word is not enough.

Not through the gateway: what answers it need not be public. An app that is not deployed, or whose
live release does not know the path yet, has no list.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from berthmaster.domain.domainpolicy import DomainRow, RowChange
from berthmaster.domain.errors import NotAllowed, OutsideError
from berthmaster.domain.hosting import public_host
from berthmaster.domain.names import StackId
from berthmaster.domain.probing import Fetch, Fetched
from berthmaster.domain.release import Release, Upstream
from berthmaster.domain.spec import AppSpec, HttpSource
from berthmaster.ports.outside import Outside
from berthmaster.services.domains.elsewhere import live_release

MOST_BYTES: Final = 16 * 1024 * 1024  # about 100,000 rows
SECONDS: Final = 30.0
OK: Final = 200
DONE: Final = (200, 204)
NOT_FOUND: Final = 404
_COLUMNS: Final = ("id", "domain", "is_primary", "tenant")


async def ask_rows(
    outside: Outside, stack: StackId, spec: AppSpec, source: HttpSource
) -> tuple[DomainRow, ...] | None:
    """The rows, in the app's order; raises `OutsideError` when it gives none."""
    release = live_release(outside, stack)
    if release is None:
        return None
    found = await outside.prober.fetch(_question(outside, release, spec, source))
    if found.status == NOT_FOUND:
        return None
    if found.status != OK:
        raise _refused(release, source, "did not give its domains", source.path, found)
    return _rows(found.body)


async def change_rows(
    outside: Outside,
    stack: StackId,
    spec: AppSpec,
    source: HttpSource,
    changes: Sequence[RowChange],
) -> None:
    """Have the app make all changes or none; raises `OutsideError` unless its list says so."""
    release = live_release(outside, stack)
    if release is None or source.repair is None:
        return
    text = json.dumps({"changes": [_change(item) for item in changes]})
    wanted = replace(_question(outside, release, spec, source), path=source.repair, sends=text)
    found = await outside.prober.fetch(wanted)
    if found.status not in DONE:
        raise _refused(release, source, "did not change its domains", source.repair, found)
    there = {row.id: row for row in await ask_rows(outside, stack, spec, source) or ()}
    for item in changes:
        if there.get(item.before.id) != item.after:
            what = f"says that it changed its domains, but not {item.before.domain}"
            raise _refused(release, source, what, source.repair, found)


def _question(outside: Outside, release: Release, spec: AppSpec, source: HttpSource) -> Fetch:
    upstream = _upstream(release, source)
    return Fetch(
        upstream.address,
        upstream.port,
        source.path,
        public_host(release),
        token=_token(outside, spec, release.stack.environment, source.token),
        forwarded_proto="https",
        most_bytes=MOST_BYTES,
        timeout_seconds=SECONDS,
    )


def _refused(
    release: Release, source: HttpSource, what: str, path: str, found: Fetched
) -> OutsideError:
    said = found.error or f"{path} answered {found.status}"
    return OutsideError(
        f"{release.stack} {what}: {said}",
        subject=_upstream(release, source).container,
        next_command=f"berth logs {release.stack} {source.service}",
    )


def _change(item: RowChange) -> dict[str, Any]:
    """The row as it was, by which the app refuses what was changed since, and what it becomes."""
    after = item.after
    return {
        "id": item.before.id,
        "domain": item.before.domain,
        "is_primary": item.before.is_primary,
        "becomes": after and {"domain": after.domain, "is_primary": after.is_primary},
    }


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
