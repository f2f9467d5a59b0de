"""`berth tenant export` and `import`: one tenant as one file, for another server or to keep.

A gzipped tar with `tenant.json`, `secrets/NAME` and `points/POINT/...` (verified dumps). Nothing in
it is trusted on the way in: names are checked, only plain files count, none may be elsewhere. The
dumps carry hashes that are checked before anything is put back.
"""

import contextlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final

from berthmaster.domain.errors import InvalidName, NotAllowed, UserError
from berthmaster.domain.names import StackId, check_host, check_name, parse_stack
from berthmaster.domain.release import Release
from berthmaster.domain.tenancy import Tenant, TenantState
from berthmaster.engine.lease import hold
from berthmaster.planner.tenants import (
    backup_names,
    plan_backup,
    plan_departure,
    undumped_volumes,
)
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import carry_out, refuse_unfinished
from berthmaster.services.observe import observe_stack
from berthmaster.services.tenant_spec import (
    known_tenant,
    refuse_suspended,
    secrets_folder,
    tenant_folder,
)
from berthmaster.services.tenants.add import Added, NewTenant, hosts_of
from berthmaster.services.tenants.close import live_release
from berthmaster.services.tenants.note import note_state
from berthmaster.services.tenants.remove import restore_tenant

FORMAT: Final = 1
DEFINITION: Final = "tenant.json"
_LARGEST_TEXT: Final = 1_000_000


async def export_tenant(
    outside: Outside,
    stack: StackId,
    target: Path | BinaryIO,
    progress: Progress,
    *,
    closes: bool = False,
) -> int:
    """Back the tenant up and write all of it to a file, 0600, or a stream; returns its size.

    `closes` suspends it first, and it stays so: nothing is written after what the file holds. The
    same again writes the same data. Raises `NotAllowed` when a volume holds data that no database
    dump has.
    """
    tenant = known_tenant(outside, stack)
    if not closes:
        refuse_suspended(outside, stack)
    release = live_release(outside, stack)
    left_out = undumped_volumes(release)
    if left_out:
        raise NotAllowed(
            f"{stack} keeps data outside its databases, which an export does not hold: "
            f"{', '.join(left_out)}"
        )
    if isinstance(target, Path) and not target.parent.is_dir():
        raise UserError(f"{target.parent} is no folder; nothing was done")
    name = await _back_up(outside, release, progress, closes=closes)
    definition = {
        "format": FORMAT,
        "tenant": str(stack),
        "tag": release.tag,
        "artifact": release.artifact,
        "values": dict(tenant.values),
        "labels": dict(tenant.labels),
        "size": tenant.size,
        "expires_at": tenant.expires_at.isoformat() if tenant.expires_at else None,
        "hosts": hosts_of(outside, stack),
        "backup": name,
    }
    points = backup_names(release, name)
    if isinstance(target, Path):
        return _write(outside, stack, target, definition, points)
    _fill(outside, stack, target, definition, points)
    return 0


async def _back_up(outside: Outside, release: Release, progress: Progress, *, closes: bool) -> str:
    stack = release.stack
    name = f"export-{outside.clock.now():%Y%m%d-%H%M%S}"
    plan_it = plan_departure if closes else plan_backup
    async with hold(outside.store, str(stack), what="berth tenant export") as lease:
        tenant = known_tenant(outside, stack)
        if closes and tenant.state is TenantState.SUSPENDED and tenant.backup:
            return tenant.backup  # nothing has changed since
        refuse_unfinished(outside, stack)
        plan = plan_it(release, await observe_stack(outside, stack), name)
        await carry_out(outside, lease, plan, progress)
        if closes:
            note_state(outside, stack, TenantState.SUSPENDED, name)
    return name


def _write(
    outside: Outside,
    stack: StackId,
    target: Path,
    definition: dict[str, Any],
    points: tuple[str, ...],
) -> int:
    part = target.with_name(f".{target.name}.part")
    try:
        handle = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        with open(handle, "wb") as file:
            _fill(outside, stack, file, definition, points)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return target.stat().st_size


def _fill(
    outside: Outside,
    stack: StackId,
    file: Any,
    definition: dict[str, Any],
    points: tuple[str, ...],
) -> None:
    with tarfile.open(fileobj=file, mode="w:gz") as parcel:
        _add(parcel, DEFINITION, json.dumps(definition, indent=2).encode())
        folder = secrets_folder(outside, stack)
        for name in outside.secret_files.names(folder):
            _add(parcel, f"secrets/{name}", outside.secret_files.read(folder / name))
        dumps = outside.files.dump_folder(stack.project)
        for point in points:
            for path in sorted((dumps / point).iterdir()):
                parcel.add(path, f"points/{point}/{path.name}", recursive=False)


def _add(parcel: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    parcel.addfile(entry, io.BytesIO(content))


async def import_tenant(
    outside: Outside,
    source: Path | BinaryIO,
    folder_of: Callable[[StackId], Path],
    progress: Progress,
    tag: str | None = None,
) -> Added:
    """Make the tenant that a file holds; raises `NotAllowed` for a name or a host that is taken."""
    if not isinstance(source, Path):
        with tempfile.TemporaryFile(dir=outside.state_folder) as whole:
            shutil.copyfileobj(source, whole)
            whole.seek(0)
            stack, folder, found = _take_in(outside, "the input", whole, folder_of)
    else:
        stack, folder, found = _take_in(outside, source.name, source, folder_of)
    wanted = NewTenant(stack, folder, tag or found, command="berth tenant import")
    return await restore_tenant(outside, wanted, progress)


def _take_in(
    outside: Outside, name: str, source: Any, folder_of: Callable[[StackId], Path]
) -> tuple[StackId, Path, str | None]:
    """Record the tombstone that is then restored; its stack, its folder, its version."""
    opened: dict[str, Any] = {"name": source} if isinstance(source, Path) else {"fileobj": source}
    try:
        with tarfile.open(mode="r:gz", **opened) as parcel:
            definition = _definition(parcel)
            stack = parse_stack(str(definition["tenant"]))
            _refuse_known(outside, stack)
            folder, tenant = folder_of(stack), _tenant(outside, stack, definition)
            _unpack_or_nothing(outside, stack, parcel)
    except (OSError, tarfile.TarError, KeyError, ValueError) as error:
        raise UserError(f"{name} is no exported tenant: {error}") from error
    outside.store.save_tenant(tenant)
    return stack, folder, definition.get("tag")


def _unpack_or_nothing(outside: Outside, stack: StackId, parcel: tarfile.TarFile) -> None:
    """What is refused half-way leaves no secret and no data behind."""
    try:
        _unpack(outside, stack, parcel)
    except BaseException:
        outside.secret_files.remove_folder(tenant_folder(outside, stack))
        for point in {entry.name.split("/")[1] for entry in parcel if _is_of_point(entry)}:
            with contextlib.suppress(InvalidName):
                outside.files.forget_dump(stack.project, point)
        raise


def _is_of_point(entry: tarfile.TarInfo) -> bool:
    return entry.name.startswith("points/")


def _definition(parcel: tarfile.TarFile) -> dict[str, Any]:
    file = parcel.extractfile(DEFINITION)
    if file is None:
        raise ValueError(f"{DEFINITION} is no file")
    found: dict[str, Any] = json.loads(file.read(_LARGEST_TEXT))
    if found.get("format") != FORMAT:
        raise ValueError(f"its format is {found.get('format')!r}, not {FORMAT}")
    return found


def _refuse_known(outside: Outside, stack: StackId) -> None:
    if outside.store.tenant(stack) is not None:
        raise NotAllowed(
            f"{stack} is known here already", next_command=f"berth tenant show {stack}"
        )


def _tenant(outside: Outside, stack: StackId, definition: dict[str, Any]) -> Tenant:
    """A tombstone, which is then restored: one way back for both."""
    expires = definition.get("expires_at")
    return Tenant(
        stack,
        TenantState.REMOVED,
        {str(key): str(value) for key, value in definition["values"].items()},
        definition.get("size"),
        datetime.fromisoformat(expires) if expires else None,
        None,
        {str(key): str(value) for key, value in definition["labels"].items()},
        outside.clock.now(),
        outside.actor,
        outside.clock.now(),
        tuple(check_host(str(host)) for host in definition["hosts"]),
        check_name("service", str(definition["backup"])),
        definition.get("tag"),
    )


def _unpack(outside: Outside, stack: StackId, parcel: tarfile.TarFile) -> None:
    dumps = outside.files.dump_folder(stack.project)
    for entry in parcel.getmembers():
        parts = PurePosixPath(entry.name).parts
        file = parcel.extractfile(entry) if entry.isfile() else None
        match parts:
            case ("secrets", name) if file is not None:
                check_name("secret", name)
                outside.secret_files.write(
                    secrets_folder(outside, stack) / name, file.read(_LARGEST_TEXT)
                )
            case ("points", point, name) if file is not None:
                check_name("service", point)
                _copy(file, dumps / point / _plain(name))
            case (one,) if one == DEFINITION:
                continue
            case _:
                raise ValueError(f"{entry.name!r} has no place in it")


def _plain(name: str) -> str:
    if name in (".", "..") or not name.isprintable() or name.startswith("-"):
        raise ValueError(f"{name!r} is no file of a restore point")
    return name


def _copy(source: Any, target: Path) -> None:
    target.parent.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(target, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    with open(handle, "wb") as file:
        while chunk := source.read(1 << 20):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
