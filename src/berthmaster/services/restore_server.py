"""`berth server restore`: make a fresh server the one that was lost, from one backup.

Places files, store and key, loads images, fills volumes, then brings each stack back by a plan: its
state services, its databases, its live release, its routes. How far it came is in a file, so that
the same command goes on after a kill. Refuses a server that has stacks of its own.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Container, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from berthmaster.domain import codec
from berthmaster.domain.backup import (
    Copy,
    CopyKind,
    Manifest,
    RestoreProgress,
    SavedDatabase,
    SavedVolume,
    names_on_this_server,
)
from berthmaster.domain.container import LABEL_STACK
from berthmaster.domain.deployment import DeploymentState
from berthmaster.domain.errors import (
    BerthmasterError,
    Bug,
    Interrupted,
    InvalidSpec,
    NotAllowed,
    NotFound,
    OutsideError,
)
from berthmaster.domain.names import StackId, parse_stack
from berthmaster.domain.release import Release
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.domain.spec import Role
from berthmaster.engine.lease import hold
from berthmaster.planner.putback import Restore, is_kept
from berthmaster.planner.renaming import with_images_named
from berthmaster.planner.restoring import plan_bring_back
from berthmaster.planner.tenants import plan_suspend
from berthmaster.ports.backups import Backups, EngineData
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.ports.snapshots import Snapshots
from berthmaster.ports.store import Event
from berthmaster.ports.units import Units
from berthmaster.services.back_up_server import LEASE, STAGED, STORE_COPY
from berthmaster.services.bring_up_gateway import SERVER_LEASE, bring_up_gateway
from berthmaster.services.carry_out import carry_out
from berthmaster.services.deploy import reserve_slots
from berthmaster.services.deploy_all import OneOfMany
from berthmaster.services.observe import observe_stack
from berthmaster.services.recover import recover_abandoned
from berthmaster.services.restore_adopted import make_own
from berthmaster.services.tenant_spec import is_suspended

PROGRESS: Final = "restore.json"
RESTORED: Final = "server_restored"
AT_ONCE: Final = 4  # stacks that are brought back side by side
_WAY_OUT: Final = {
    DeploymentState.PLANNED: (DeploymentState.APPLYING, DeploymentState.UNWINDING),
    DeploymentState.APPLYING: (DeploymentState.UNWINDING,),
    DeploymentState.UNWINDING: (),
    DeploymentState.RETIRING: (DeploymentState.STUCK, DeploymentState.UNWINDING),
    DeploymentState.STUCK: (DeploymentState.UNWINDING,),
}


@dataclass(frozen=True, slots=True)
class Source:
    """What a restore reads from: a backup, and the ports that know how."""

    backups: Backups
    data: EngineData
    snapshots: Snapshots
    copy: Copy
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class ServerRestored:
    """What runs again, and what does not."""

    manifest: Manifest
    stacks: tuple[StackId, ...]
    suspended: tuple[StackId, ...]  # of them: closed tenants, closed again
    failed: tuple[tuple[StackId, BerthmasterError], ...]
    told: tuple[str, ...]
    seconds: float


async def choose_copy(backups: Backups, wanted: str | None) -> Copy:
    """The newest whole backup, or the one named; raises `NotFound`."""
    found = [item for item in await backups.copies() if item.is_backup]
    if wanted is not None:
        named = [item for item in found if item.id.startswith(wanted) or wanted == item.id[:8]]
        if len(named) == 1:
            return named[0]
        known = ", ".join(item.id for item in found) or "none"
        raise NotFound(f"there is no one backup {wanted!r}; there are {known}")
    whole = [item for item in found if item.kind is CopyKind.WHOLE]
    if whole:
        return whole[-1]
    if found:
        raise NotFound(
            f"there are only partial backups: a part of each failed; the newest is {found[-1].id}",
            next_command="berth server restore --from TARGET --backup ID",
        )
    raise NotFound("there is no backup in that place")


def unfinished_restore(state_folder: Path) -> str | None:
    """The backup that a killed restore was at; None when there was none."""
    found = _read_progress(state_folder / PROGRESS)
    return found.backup if found else None


async def restore_server(
    outside: Outside, source: Source, units: Units, progress: Progress, *, is_fresh: bool
) -> ServerRestored:
    """Restore; `is_fresh` says that the store here knows no stack.

    A stack that does not come back is reported and leaves the others alone; the same command tries
    it again.
    """
    start = outside.clock.monotonic()
    steps = _Steps(outside.state_folder / PROGRESS, source.copy.id)
    _refuse(outside, source, steps, is_fresh=is_fresh)
    steps.begin()
    await steps.once("state", lambda: _place_state(outside, source, progress))
    source.backups.keep_code()
    await steps.once("records", lambda: _settle_records(outside))
    told = list(await recover_abandoned(outside, progress))
    for folder in source.manifest.folders:
        await steps.once(f"folder:{folder}", partial(_place_folder, source, folder, told))
    await _load_images(outside, source, progress)
    ends = await _make_own(outside, source, steps)
    await outside.firewall.ensure(outside.address_block, outside.listened_ports)
    told += (await bring_up_gateway(outside)).told
    await _fill_kept_volumes(outside, source, steps)
    ends |= await _bring_all_back(outside, source, steps, progress, lost=ends)
    failed = tuple((stack, error) for stack, error in ends.items() if error is not None)
    told += [f"wrote {name} for systemd" for name in await units.install()]
    if not failed:
        outside.store.record(
            Event(outside.clock.now(), outside.actor, None, RESTORED, source.copy.id[:8])
        )
        steps.end()
    served = tuple(stack for stack, error in ends.items() if error is None)
    seconds = outside.clock.monotonic() - start
    told += steps.told
    closed = tuple(stack for stack in served if is_suspended(outside, stack))
    return ServerRestored(source.manifest, served, closed, failed, tuple(told), seconds)


class _Steps:
    """Which steps are done; on the disk after each."""

    def __init__(self, path: Path, backup: str) -> None:
        self._path = path
        self._backup = backup
        found = _read_progress(path)
        self.other = found.backup if found and found.backup != backup else None
        own = found if found and self.other is None else RestoreProgress(backup)
        self._done, self.told = set(own.steps), list(own.told)

    @property
    def is_begun(self) -> bool:
        """Whether an earlier run came past its refusals."""
        return self._path.exists()

    def begin(self) -> None:
        """From here on the same command goes on."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write()

    def is_done(self, name: str) -> bool:
        return name in self._done

    async def once(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do it unless it is done; noted when it has ended."""
        if name not in self._done:
            await work()
            self._done.add(name)
            self._write()

    def tell(self, line: str) -> None:
        """To be said at the end, by whichever run comes to it."""
        self.told.append(line)
        self._write()

    def end(self) -> None:
        self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        value = RestoreProgress(self._backup, frozenset(self._done), tuple(self.told))
        part = self._path.with_name(f".{self._path.name}.part")
        try:
            part.write_text(json.dumps(codec.encode(value)))
            part.replace(self._path)
        except OSError as error:
            raise OutsideError(
                f"{self._path} cannot be written: {error.strerror}", subject="disk"
            ) from error


def _read_progress(path: Path) -> RestoreProgress | None:
    try:
        found: RestoreProgress = codec.decode(RestoreProgress, json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, Bug):
        return None
    return found


def _refuse(outside: Outside, source: Source, steps: _Steps, *, is_fresh: bool) -> None:
    manifest = source.manifest
    if steps.other is not None:
        raise NotAllowed(
            f"a restore of backup {steps.other[:8]} was begun here and has not ended",
            next_command="berth server restore --from TARGET --backup ID, with that one",
        )
    if not is_fresh and not steps.is_begun:
        raise NotAllowed(
            "this server has stacks of its own: a restore wants a fresh one",
            next_command="berth server restore-store, when only the store is damaged",
        )
    for name, here, there in (
        ("state_folder", str(outside.state_folder), manifest.state_folder),
        ("address_block", outside.address_block, manifest.address_block),
    ):
        if here != there:
            raise InvalidSpec(
                f"the backup is of a server with {name} = {there}, and here it is {here}: records"
                " and addresses would not fit",
                next_command=f'write {name} = "{there}" into the settings, then the same again',
            )


async def _place_state(outside: Outside, source: Source, progress: Progress) -> None:
    """State folder, then the store out of it; the key comes with the folder."""
    progress.note(f"placing the state folder of {source.manifest.server}")
    folder = outside.state_folder
    await source.backups.extract(source.copy.id, source.manifest.state_folder, folder)
    source.snapshots.restore(folder / STAGED / STORE_COPY)


async def _settle_records(outside: Outside) -> None:
    """What was under way on the lost server has ended with it; what was warm there is not here."""
    store = outside.store
    for name in (*(str(item.id) for item in store.stacks()), SERVER_LEASE, LEASE):
        lease = store.lease(name) or store.acquire_lease(name, holder="restore", seconds=1.0)
        store.release_lease(lease)
    for deployment in store.unfinished():
        async with hold(store, str(deployment.stack), what="berth server restore") as lease_now:
            states = (*_WAY_OUT[deployment.state], DeploymentState.FAILED)
            for old, new in zip((deployment.state, *states), states, strict=False):
                store.change_state(
                    deployment.id, old, new, fence=lease_now.fence, error="its server was lost"
                )
    for summary in store.releases_in(ReleaseState.WARM, ReleaseState.PREPARED):
        is_warm = summary.state is ReleaseState.WARM
        state = ReleaseState.RETIRED if is_warm else ReleaseState.FAILED
        store.set_release_state(summary.stack, summary.number, state)


async def _place_folder(source: Source, folder: str, told: list[str]) -> None:
    """An app's folder; one that somebody checked out here already stays."""
    path = Path(folder)
    if _has_files(path):
        told.append(f"{folder} is there already and was left as it is")
        return
    await source.backups.extract(source.copy.id, folder, path)


def _has_files(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())


async def _load_images(outside: Outside, source: Source, progress: Progress) -> None:
    """Load what the engine lacks; a release whose image lost its registry digest runs it by id."""
    archives = {
        image: item.id
        for item in await source.backups.copies()
        if item.kind is CopyKind.IMAGE
        for image in item.images
    }
    saved = source.manifest.images
    for image in saved:
        if await outside.runtime.image(image.id) is None and image.id in archives:
            progress.note(f"loading {image.names[0] if image.names else image.id}")
            await source.data.load_image(source.backups.stream(archives[image.id]))
    await _name_images(outside, source)
    names = {name for image in saved for name in image.names}
    missing = [name for name in sorted(names) if await outside.runtime.image(name) is None]
    renamed = names_on_this_server(saved, missing)
    for record in list(outside.store.release_records()) if renamed else ():
        changed = with_images_named(record, renamed)
        if changed != record:
            outside.store.rewrite_release(changed)


async def _name_images(outside: Outside, source: Source) -> None:
    """The tags they had, which no registry may know; one that is another image's here stays."""
    for image in source.manifest.images:
        for tag in image.tags:
            is_free = await outside.runtime.image(tag) is None
            if is_free and await outside.runtime.image(image.id) is not None:
                await source.data.name_image(image.id, tag)


async def _fill_kept_volumes(outside: Outside, source: Source, steps: _Steps) -> None:
    """Volumes of stacks that do not serve: a removed tenant's, for the day when it is restored."""
    for volume in source.manifest.volumes:
        if volume.stack not in source.manifest.stacks:
            stack = parse_stack(volume.stack)
            work = partial(_fill, outside, source, stack, volume)
            await steps.once(f"volume:{volume.name}", work)


async def _make_own(
    outside: Outside, source: Source, steps: _Steps
) -> dict[StackId, BerthmasterError | None]:
    """What was adopted runs as a release from now on; the stacks whose files did not allow it."""
    failed: dict[StackId, BerthmasterError | None] = {}
    for stack in map(parse_stack, source.manifest.stacks):
        try:
            if line := await make_own(outside, stack):
                steps.tell(line)
        except (Interrupted, Bug):
            raise
        except BerthmasterError as error:
            failed[stack] = error
    return failed


async def _bring_all_back(
    outside: Outside, source: Source, steps: _Steps, progress: Progress, *, lost: Container[StackId]
) -> dict[StackId, BerthmasterError | None]:
    limit = asyncio.Semaphore(AT_ONCE)
    stacks = [item for item in map(parse_stack, source.manifest.stacks) if item not in lost]

    async def one(stack: StackId) -> BerthmasterError | None:
        async with limit:
            try:
                await steps.once(
                    f"stack:{stack}", lambda: _bring_back(outside, source, steps, stack, progress)
                )
            except (Interrupted, Bug):
                raise
            except BerthmasterError as error:
                return error
            return None

    # NOTE: all of them are waited for, so that an interrupted one has put everything back.
    ends = await asyncio.gather(*map(one, stacks), return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException) and not isinstance(end, BerthmasterError):
            raise end
        if isinstance(end, Interrupted | Bug):
            raise end
    return {
        stack: end
        for stack, end in zip(stacks, ends, strict=True)
        if end is None or isinstance(end, BerthmasterError)
    }


async def _bring_back(
    outside: Outside, source: Source, steps: _Steps, stack: StackId, progress: Progress
) -> None:
    for volume in source.manifest.volumes:
        if volume.stack == str(stack):
            await steps.once(
                f"volume:{volume.name}",
                partial(_fill, outside, source, stack, volume),
            )
    async with hold(outside.store, str(stack), what="berth server restore") as lease:
        release = _live(outside, stack)
        observed = await observe_stack(outside, stack, release=release)
        restores = _restores(outside, source.manifest.databases, release)
        slots, is_closed = reserve_slots(outside, release), is_suspended(outside, stack)
        plan = plan_bring_back(release, observed, restores, slots=slots, is_closed=is_closed)
        await carry_out(outside, lease, plan, OneOfMany(progress, stack))
        if is_closed:
            plan = plan_suspend(await observe_stack(outside, stack))
            await carry_out(outside, lease, plan, OneOfMany(progress, stack))
    ends = "is suspended again" if is_closed else "serves"
    progress.note(f"{stack}: {release.label} {ends}")


async def _fill(outside: Outside, source: Source, stack: StackId, volume: SavedVolume) -> None:
    name = volume.name
    await outside.runtime.create_volume(name, {LABEL_STACK: str(stack)})
    place = await source.data.volume_folder(name)
    if place is None:
        raise OutsideError(f"the volume {name} has no folder on this machine", subject=name)
    await source.backups.extract(source.copy.id, volume.folder, place)


def _live(outside: Outside, stack: StackId) -> Release:
    record = outside.store.stack(stack)
    release = (
        outside.store.release(stack, record.live) if record and record.live is not None else None
    )
    if release is None:
        raise NotFound(f"the backup has no record of a live release of {stack}")
    return release


def _restores(
    outside: Outside, saved: Iterable[SavedDatabase], release: Release
) -> tuple[Restore, ...]:
    folder = outside.files.dump_folder(release.stack.project)
    points = {item.name: item for item in outside.databases.points(folder)}
    containers = {item.name: item.containers[0] for item in release.with_role(Role.STATE)}
    stamp = outside.clock.now().strftime("%Y%m%d_%H%M%S")
    found = []
    for item in saved:
        if item.stack != str(release.stack):
            continue
        if item.point not in points or item.service not in containers:
            raise NotFound(f"{release.stack}: the backup does not hold its dump {item.point}")
        names = tuple(name for name in points[item.point].databases if not is_kept(name))
        found.append(Restore(item.point, containers[item.service], names, stamp))
    return tuple(found)
