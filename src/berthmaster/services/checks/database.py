"""Checks of the data: a database image fits the data that is there, and backups are young.

A data directory of another major version is refused by the server that is to open it, or worse,
changed for good; so the volume itself is read where it can be.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from berthmaster.domain import checks
from berthmaster.domain.check import Check
from berthmaster.domain.container import Image
from berthmaster.domain.release import Release
from berthmaster.domain.spec import Role
from berthmaster.planner import composemodel as compose
from berthmaster.planner.majors import DatabaseVersion, database_version, major_of, refusal
from berthmaster.services.checks.facts import CheckFacts
from berthmaster.services.observe import applied_states
from berthmaster.services.watch_backups import BACKED_UP

BACKUP_AGE: Final = timedelta(days=7)
VERSION_FILES: Final = {"postgres": "PG_VERSION"}  # of families that write one into their data


async def check_database_major(facts: CheckFacts) -> list[Check]:
    """Each state service's image can open the data that its volume holds."""
    found = [await _judge(facts, name, item) for name, item in _databases(facts)]
    return found or [checks.DATABASE_MAJOR.ok("no database here")]


async def _judge(facts: CheckFacts, name: str, service: Mapping[str, Any]) -> Check:
    reference = str(service.get("image") or "")
    image = await facts.local_image(reference)
    new = database_version(reference, image.environment if image else {})
    old = await _known(facts, name, service, image)
    if old is None:
        return checks.DATABASE_MAJOR.ok(f"{name}: {new}, and no data yet")
    why = refusal(old, new)
    if why:
        return checks.DATABASE_MAJOR.failed(f"{name}: {why}")
    return checks.DATABASE_MAJOR.ok(f"{name}: {new}, as its data")


async def _known(
    facts: CheckFacts, name: str, service: Mapping[str, Any], image: Image | None
) -> DatabaseVersion | None:
    """What the data is of: what its volume says, else the image that ran on it last."""
    recorded = await _recorded(facts, name)
    family = recorded or database_version(str(service.get("image") or ""), {})
    in_volume = await _in_volume(facts, service, family, image)
    if in_volume and family:
        return replace(family, major=in_volume)
    return recorded


async def _recorded(facts: CheckFacts, name: str) -> DatabaseVersion | None:
    record = facts.outside.store.stack(facts.stack)
    live = (
        facts.outside.store.release(facts.stack, record.live)
        if record and record.live is not None
        else None
    )
    applied: Release | None = applied_states(facts.outside, facts.stack, live).get(name)
    pins = [item.image for item in (applied.services if applied else ()) if item.name == name]
    if not pins or pins[0] is None:
        return None
    image = await facts.local_image(pins[0].runs_as)
    return database_version(pins[0].reference, image.environment if image else {})


async def _in_volume(
    facts: CheckFacts,
    service: Mapping[str, Any],
    family: DatabaseVersion | None,
    image: Image | None,
) -> str:
    file = VERSION_FILES.get(family.family) if family else None
    if file is None or image is None:
        return ""
    volumes = facts.rendering.model.get("volumes") or {}
    there = {item.name for item in await facts.outside.runtime.volumes({})}
    for mount in compose.mounts_of(service):
        name = str((volumes.get(mount.source) or {}).get("name") or mount.source)
        if mount.kind == "volume" and name in there:
            text = await facts.outside.runtime.volume_text(image.id, name, file)
            if text:
                return major_of(text.strip(), 1)
    return ""


async def check_backup(facts: CheckFacts) -> list[Check]:
    """A stack that is live and has a database has a restore point that is young enough."""
    outside, stack = facts.outside, facts.stack
    record = outside.store.stack(stack)
    live = outside.store.release(stack, record.live) if record and record.live is not None else None
    dumped = [item.name for item in live.with_role(Role.STATE) if item.is_dumpable] if live else []
    if live is None or not dumped:
        return [checks.BACKUP.ok("there is no data to keep yet")]
    now = outside.clock.now()
    points = outside.databases.points(outside.files.dump_folder(stack.project))
    backed_up = outside.store.last_event(BACKED_UP)
    times = [item.taken_at for item in points if item.taken_at]
    taken = max([*times, *([backed_up.at] if backed_up else [])], default=None)
    if taken is not None and now - taken <= BACKUP_AGE:
        return [checks.BACKUP.ok(f"the newest restore point is of {taken:%Y-%m-%d %H:%M} UTC")]
    if taken is not None:
        return [checks.BACKUP.failed(f"the newest restore point is of {taken:%Y-%m-%d}")]
    first = min((item.created_at for item in outside.store.releases(stack)), default=now)
    if now - first <= BACKUP_AGE:
        return [checks.BACKUP.note(f"there is no restore point of {', '.join(dumped)} yet")]
    return [checks.BACKUP.failed(f"there is no restore point of {', '.join(dumped)}")]


def _databases(facts: CheckFacts) -> Iterator[tuple[str, Mapping[str, Any]]]:
    services = compose.services_of(facts.rendering.model)
    for item in facts.rendering.decisions:
        service = services[item.service]
        is_database = database_version(str(service.get("image") or ""), {}) is not None
        if item.role is Role.STATE and is_database:
            yield item.service, service
