"""What goes into a backup: looked up, dumped, made consistent; each part that fails is noted.

Reads, but for the restore points that databases are dumped into and a Redis that is told to write
its snapshot. Nothing is stopped.
"""

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar

from berthmaster.domain.backup import POINT_PREFIX, SavedDatabase, SavedImage, SavedVolume
from berthmaster.domain.container import LABEL_STACK
from berthmaster.domain.errors import BerthmasterError, OutsideError
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release, ReleaseService
from berthmaster.domain.sealed import SealedValues
from berthmaster.domain.spec import Role
from berthmaster.domain.tenancy import TenantState
from berthmaster.planner import composemodel as compose
from berthmaster.planner.majors import database_version, told_by_environment
from berthmaster.ports.backups import EngineData
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import StackRecord
from berthmaster.services.observe import applied_states

REDIS_SECONDS: Final = 120.0
REDIS_POLL_SECONDS: Final = 0.2
T = TypeVar("T")


@dataclass(slots=True)
class Part:
    """What belongs together: of one stack, of the removed tenants, the images."""

    excluded: list[str] = field(default_factory=list)  # files that a dump stands for
    volumes: list[SavedVolume] = field(default_factory=list)
    databases: list[SavedDatabase] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    is_served: bool = False

    async def tried(self, what: str, work: Awaitable[T]) -> T | None:
        """Do a piece; a failure is noted and the others go on."""
        try:
            return await work
        except BerthmasterError as error:
            self.failed.append(f"{what}: {error.message}")
            return None


# What makes a dump and a snapshot of the store fit: the live release and what its databases run by.
Stand = tuple[int | None, frozenset[tuple[str, int]]]


@dataclass(slots=True)
class Gathered:
    """The parts of one backup, and what became of those that failed."""

    taken_at: datetime
    stacks: dict[StackId, Part] = field(default_factory=dict)
    stands: dict[StackId, Stand] = field(default_factory=dict)  # of each when it was gathered
    folders: list[str] = field(default_factory=list)
    folder_notes: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)  # tenants
    of_removed: Part = field(default_factory=Part)
    images: list[SavedImage] = field(default_factory=list)
    of_images: Part = field(default_factory=Part)
    gateway_images: frozenset[str] = frozenset()
    round: int = 0

    @property
    def parts(self) -> tuple[Part, ...]:
        """All of them, in the order in which they are told."""
        return (*self.stacks.values(), self.of_removed, self.of_images)


async def gather(outside: Outside, data: EngineData) -> Gathered:
    """Look everything up and take the dumps."""
    found = Gathered(outside.clock.now())
    for record in outside.store.stacks():
        await _add_stack(outside, data, found, record)
    await _add_others(outside, data, found)
    return found


async def catch_up(outside: Outside, data: EngineData, found: Gathered) -> tuple[StackId, ...]:
    """Gather again what was changed, ended or begun while the others were gathered; returns it.

    Else the store's snapshot would name a release whose data and images are not in the backup.
    """
    now = {record.id: record for record in outside.store.stacks()}
    known = {*now, *found.stands}
    changed = [stack for stack in known if _stand(outside, stack) != found.stands.get(stack)]
    if not changed:
        return ()
    found.round += 1
    for stack in sorted(changed, key=str):
        found.stacks.pop(stack, None)
        found.stands.pop(stack, None)
        if stack in now:
            await _add_stack(outside, data, found, now[stack])
    found.removed, found.of_removed, found.of_images = [], Part(), Part()
    await _add_others(outside, data, found)
    return tuple(changed)


def _stand(outside: Outside, stack: StackId) -> Stand | None:
    record = outside.store.stack(stack)
    if record is None:
        return None
    return record.live, frozenset(outside.store.applied_states(stack).items())


async def _add_stack(
    outside: Outside, data: EngineData, found: Gathered, record: StackRecord
) -> None:
    stand = _stand(outside, record.id)
    if stand is None:  # it ended just now
        return
    found.stands[record.id] = stand
    part = found.stacks[record.id] = Part()
    _add_folder(outside, found, record.folder)
    live = outside.store.release(record.id, stand[0]) if stand[0] is not None else None
    if live is None:
        part.notes.append(f"{record.id} has no release that serves; its records are saved")
        return
    part.is_served = True
    await _add_data(outside, data, found, live, is_closed=record.is_in_maintenance)


async def _add_others(outside: Outside, data: EngineData, found: Gathered) -> None:
    await _add_removed(outside, data, found)
    await _add_images(outside, data, found)


def _add_folder(outside: Outside, found: Gathered, folder: str) -> None:
    path = Path(folder)
    if not folder or folder in found.folders or path.is_relative_to(outside.state_folder):
        return
    if path.is_dir():
        found.folders.append(folder)
    else:
        found.folder_notes.append(
            f"{folder} is not there any more; the releases made from it are saved"
        )


async def _add_data(
    outside: Outside, data: EngineData, found: Gathered, live: Release, *, is_closed: bool
) -> None:
    """What a stack keeps; a database that was closed on purpose, as a suspended tenant's is, cannot
    be dumped, and its files are at rest.
    """
    part = found.stacks[live.stack]
    applied = applied_states(outside, live.stack, live)
    dumped: set[str] = set()  # volumes that a dump stands for
    filed: set[str] = set()
    for service in live.with_role(Role.STATE):
        record = applied.get(service.name, live)
        volumes = _volumes_of(record, service)
        is_at_rest = is_closed and await _is_stopped(outside, service)
        if not is_at_rest and await _is_known(outside, service):
            dumped |= volumes
            await _leave_out(outside, part, record, service)
            await _dump(outside, found, live, service)
            continue
        filed |= volumes
        await part.tried(f"{live.stack} {service.name}", _settle(outside, part, record, service))
    labelled = await outside.runtime.volumes({LABEL_STACK: str(live.stack)})
    own = {*live.volumes, *live.volume_names.values(), *(item.name for item in labelled)}
    for name in sorted(own - (dumped - filed)):
        await part.tried(f"volume {name}", _add_volume(data, part, live.stack, name))


async def _is_known(outside: Outside, service: ReleaseService) -> bool:
    """Whether it can be dumped; an older version did not know each that is known now."""
    if service.is_dumpable or service.image is None:
        return service.is_dumpable
    environment = await _environment(outside, service)
    return outside.databases.can_dump(service.image.reference, environment)


async def _environment(outside: Outside, service: ReleaseService) -> Mapping[str, str]:
    """What its image says of itself, whatever its name is."""
    image = await outside.runtime.image(service.image.runs_as) if service.image else None
    return image.environment if image else {}


async def _leave_out(
    outside: Outside, part: Part, record: Release, service: ReleaseService
) -> None:
    """A folder of the host that holds a database's files: copied while it runs they are torn."""
    image = await outside.runtime.image(service.image.runs_as) if service.image else None
    data = tuple(map(PurePosixPath, image.volumes if image else ()))
    for mount in _mounts_of(record, service):
        target = PurePosixPath(mount.target)
        is_data = any(one.is_relative_to(target) or target.is_relative_to(one) for one in data)
        if mount.kind == "bind" and not mount.is_read_only and is_data:
            part.excluded.append(mount.source)


async def _add_removed(outside: Outside, data: EngineData, found: Gathered) -> None:
    """What removed tenants left, to be restored one day: the last backup, volumes without a dump.

    The backup itself lies in the state folder, as their secrets do; one that is not there fails.
    """
    for tenant in outside.store.tenants():
        if tenant.state is not TenantState.REMOVED:
            continue
        stack, last = tenant.stack, tenant.backup
        points = outside.databases.points(outside.files.dump_folder(stack.project))
        if last and not any(
            item.name == last or item.name.startswith(f"{last}-") for item in points
        ):
            found.of_removed.failed.append(
                f"removed tenant {stack}: its last backup {last} is not there"
            )
        found.removed.append(str(stack))
        for volume in await outside.runtime.volumes({LABEL_STACK: str(stack)}):
            adding = _add_volume(data, found.of_removed, stack, volume.name)
            await found.of_removed.tried(f"volume {volume.name}", adding)


async def _is_stopped(outside: Outside, service: ReleaseService) -> bool:
    container = await outside.runtime.container(service.containers[0])
    return container is None or not container.is_running


async def _dump(outside: Outside, found: Gathered, live: Release, service: ReleaseService) -> None:
    """A restore point of its own; the one of the last backup makes room for it."""
    folder = outside.files.dump_folder(live.stack.project)
    part = found.stacks[live.stack]
    again = f"-{found.round}" if found.round else ""
    name = f"{POINT_PREFIX}{service.name}-{found.taken_at:%Y%m%d-%H%M%S}{again}"
    what = f"database {service.name} of {live.stack}"
    taken = outside.databases.take(service.containers[0], folder, name)
    if await part.tried(what, taken) is None:
        return
    part.databases.append(SavedDatabase(str(live.stack), service.name, name))
    for point in outside.databases.points(folder):
        if point.name.startswith(f"{POINT_PREFIX}{service.name}-") and point.name != name:
            outside.files.forget_dump(live.stack.project, point.name)


async def _settle(outside: Outside, part: Part, record: Release, service: ReleaseService) -> None:
    """Bring a service that keeps data to a state in which its files can be copied."""
    reference = service.image.reference if service.image else ""
    environment = await _environment(outside, service)
    kind = database_version(reference, environment) or told_by_environment(environment)
    is_redis = "valkey" in reference or (kind is not None and kind.family == "redis")
    if kind is None and not is_redis:
        return
    if await _is_stopped(outside, service):
        return  # files at rest are sound
    if not is_redis:
        raise OutsideError(
            f"Berthmaster cannot dump {kind}, and files copied while it runs may not open again;"
            " when it is stopped its files are saved",
            subject=service.name,
        )
    why = await _save_redis(outside, record, service)
    if why:
        part.notes.append(f"{record.stack} {service.name}: {why}; its files are as they lay")


async def _save_redis(outside: Outside, record: Release, service: ReleaseService) -> str:
    """Have Redis write its snapshot, which it renames into place; returns why it did not."""
    name, environment = service.containers[0], _redis_login(outside, record, service)

    async def ask(*words: str) -> str:
        ended = await outside.runtime.execute(name, ["redis-cli", *words], environment=environment)
        return ended.output.strip() if ended.exit_code == 0 else f"ERR {ended.output.strip()}"

    said = await ask("bgsave")
    if not said.startswith("Background") and "in progress" not in said:
        return f"BGSAVE was refused ({said.splitlines()[-1][:80] if said else 'no answer'})"
    start = outside.clock.monotonic()
    while "rdb_bgsave_in_progress:1" in (about := await ask("info", "persistence")):
        if outside.clock.monotonic() - start > REDIS_SECONDS:
            raise OutsideError(f"{name}: BGSAVE does not end", subject=name)
        await outside.clock.sleep(REDIS_POLL_SECONDS)
    if "rdb_last_bgsave_status:ok" not in about:
        raise OutsideError(f"{name}: BGSAVE failed", subject=name)
    return ""


def _redis_login(outside: Outside, record: Release, service: ReleaseService) -> Mapping[str, str]:
    sealed = SealedValues.from_bytes(outside.vault.open(record.sealed))
    for key in service.compose_services:
        for name in ("REDISCLI_AUTH", "REDIS_PASSWORD"):
            if value := sealed.environment.get(key, {}).get(name):
                return {"REDISCLI_AUTH": value}
    return {}


async def _add_volume(data: EngineData, part: Part, stack: StackId, name: str) -> None:
    folder = await data.volume_folder(name)
    if folder is None:
        raise OutsideError("it is not there", subject=name)
    if not folder.is_dir():
        raise OutsideError(f"its files are not on this machine ({folder})", subject=name)
    part.volumes.append(SavedVolume(name, str(stack), str(folder)))


def _volumes_of(record: Release, service: ReleaseService) -> set[str]:
    """Names of the volumes that a state service mounts."""
    known: Mapping[str, Any] = record.state_model.get("volumes") or {}
    return {
        record.volume_names.get(item.source)
        or str((known.get(item.source) or {}).get("name") or item.source)
        for item in _mounts_of(record, service)
        if item.kind == "volume" and item.source
    }


def _mounts_of(record: Release, service: ReleaseService) -> Iterable[compose.Mount]:
    services = compose.services_of(record.state_model)
    keys = (service.name,) if record.adopted_from else service.compose_services
    for key in keys:
        yield from compose.mounts_of(services.get(key, {}))


async def _add_images(outside: Outside, data: EngineData, found: Gathered) -> None:
    """Images of every kept release, so that a rollback works over there too, and the gateway's."""
    found.gateway_images = frozenset(await data.gateway_images())
    needed = {
        pin.runs_as
        for record in outside.store.release_records()
        for pin in (item.image for item in record.services if item.role is not Role.REPLACED)
        if pin is not None
    }
    live = set(_live_images(outside))
    by_id: dict[str, set[str]] = {}
    tags: dict[str, tuple[str, ...]] = {}
    for name in sorted(needed | found.gateway_images):
        image = await outside.runtime.image(name)
        if image is not None:
            by_id.setdefault(image.id, set()).add(name)
            tags[image.id] = image.tags
        elif name in live or name in found.gateway_images:
            found.of_images.failed.append(f"image {name}: it is not here")
        else:
            found.of_images.notes.append(
                f"the image {name} of an older release is not here any more"
            )
    found.images = [SavedImage(key, tuple(sorted(by_id[key])), tags[key]) for key in by_id]


def _live_images(outside: Outside) -> Iterable[str]:
    for summary in outside.store.live_releases():
        release = outside.store.release(summary.stack, summary.number)
        for item in release.services if release else ():
            if item.image and item.role is not Role.REPLACED:
                yield item.image.runs_as
