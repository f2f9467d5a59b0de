"""Mounts of one service: the stack's volumes, the release's files, secrets by reader.

What a release reads from the app's folder is copied into it (D10), so that a rollback brings back
yesterday's files; a secret is one copy for each user that reads it (D13).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from berthmaster.domain.errors import InvalidSpec
from berthmaster.planner import composemodel as compose
from berthmaster.planner.rendering import FileRequest, RenderInputs

# The planner cannot see modes: a copied script must stay runnable, and a bit too many does no harm.
_RUNNABLE: Final = (".sh", ".bash", ".py", ".pl", ".rb")


@dataclass(slots=True)
class Mounts:
    """The mounts of one service as its model says them, and what they need."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    files: list[FileRequest] = field(default_factory=list)
    volumes: set[str] = field(default_factory=set)  # keys
    written: set[str] = field(default_factory=set)  # volumes and folders it may write
    notes: list[str] = field(default_factory=list)


def mounts_of(inputs: RenderInputs, name: str, is_state: bool) -> Mounts:
    """Render all mounts of a service; raises `InvalidSpec` for secrets that nobody holds."""
    service, mounts = inputs.service(name), Mounts()
    for mount in compose.mounts_of(service):
        if mount.kind == "volume" and mount.source:
            _add_volume(mounts, mount)
        elif mount.kind == "bind":
            _add_bind(mounts, inputs, mount, is_state)
        else:
            mounts.entries.append(dict(mount.raw))
    for item in service.get("configs") or ():
        _add_config(mounts, inputs, _long(item), is_state)
    for item in service.get("secrets") or ():
        _add_secret(mounts, inputs, name, _long(item), is_state)
    return mounts


def inside(folder: str, path: str) -> str | None:
    """`path` relative to the app's folder; None when it lies elsewhere."""
    plain = PurePosixPath(path)
    if ".." in plain.parts:
        return None
    if not plain.is_absolute():
        return plain.as_posix()
    root = PurePosixPath(folder)
    return plain.relative_to(root).as_posix() if plain.is_relative_to(root) else None


def is_declared_data(relative: str, declared: tuple[str, ...]) -> bool:
    """Whether a folder beside the Compose files is declared as data, itself or one above it."""
    path = PurePosixPath(relative)
    return any(path.is_relative_to(item) for item in declared)


def _long(item: Any) -> Mapping[str, Any]:
    return item if isinstance(item, Mapping) else {"source": str(item)}


def _add_volume(mounts: Mounts, mount: compose.Mount) -> None:
    mounts.volumes.add(mount.source)
    if not mount.is_read_only:
        mounts.written.add(f"volume {mount.source}")
    mounts.entries.append(dict(mount.raw))


def _add_bind(mounts: Mounts, inputs: RenderInputs, mount: compose.Mount, is_state: bool) -> None:
    relative = inside(inputs.spec.folder, mount.source)
    if relative is None or not mount.is_read_only:
        if not mount.is_read_only:
            mounts.written.add(f"folder {mount.source}")
        mounts.entries.append(dict(mount.raw))
        return
    if relative == ".":
        raise InvalidSpec(
            f"{mount.target} mounts the app's whole folder, secrets too: mount what it needs of it"
        )
    target = f"binds/{_flat(relative)}"
    path = PurePosixPath(relative)
    mode = 0o555 if path.suffix in _RUNNABLE or "entrypoint" in path.name else 0o444
    mounts.files.append(FileRequest(mount.source, target, mode, is_state=is_state))
    mounts.entries.append(_bind(inputs, target, mount.target, is_state))


def _flat(relative: str) -> str:
    """One name without folders, so that a file and a folder above it can both be carried."""
    return relative.replace("+", "++").replace("/", "+")


def _bind(inputs: RenderInputs, target: str, where: str, is_state: bool) -> dict[str, Any]:
    return {
        "type": "bind",
        "source": f"{inputs.files_folder(is_state)}/{target}",
        "target": where,
        "read_only": True,
        "bind": {"create_host_path": False},
    }


def _add_config(
    mounts: Mounts, inputs: RenderInputs, item: Mapping[str, Any], is_state: bool
) -> None:
    name = str(item["source"])
    source, content = _origin(inputs, "configs", name)
    target = f"configs/{name}"
    mode = int(item.get("mode") or 0o444)
    mounts.files.append(
        FileRequest(source, target, mode & 0o555, content=content, is_state=is_state)
    )
    where = str(item.get("target") or f"/{name}")
    mounts.entries.append(_bind(inputs, target, where, is_state))


def _add_secret(
    mounts: Mounts, inputs: RenderInputs, service: str, item: Mapping[str, Any], is_state: bool
) -> None:
    name = str(item["source"])
    source, content = _origin(inputs, "secrets", name)
    uid = _reader(inputs, service, item)
    owner = "any" if uid is None else str(uid)
    # Without a known reader the file is readable to all, in a folder that only root may enter.
    mode = 0o444 if uid is None else int(item.get("mode") or 0o400) & 0o444 | 0o400
    if uid is None and _is_named(inputs, service):
        mounts.notes.append(
            f"{service}: its image runs as a named user, so secret {name} is readable to every"
            " user inside the container; give `user:` or the secret's `uid:` as a number"
        )
    target = f"secrets/{owner}/{name}"
    mounts.files.append(
        FileRequest(source, target, mode, uid or 0, True, content, is_state=is_state)
    )
    where = str(item.get("target") or name)
    where = where if where.startswith("/") else f"/run/secrets/{where}"
    mounts.entries.append(_bind(inputs, target, where, is_state))


def _origin(inputs: RenderInputs, section: str, name: str) -> tuple[str, str | None]:
    """Where a config's or secret's content comes from: (path, None) or ("", content)."""
    declared = (inputs.model.get(section) or {}).get(name) or {}
    file = str(declared.get("file") or "")
    if section == "secrets":
        for candidate in (name, f"{name}.txt", PurePosixPath(file).name):
            if candidate in inputs.secret_files:
                return inputs.secret_files[candidate], None
        if inputs.environment.tenant is not None and file:
            raise InvalidSpec(
                f"secret `{name}`: {inputs.stack} has none, and {file} is not one tenant's own",
                next_command=f"berth secrets set {inputs.stack} {name}",
            )
    if file:
        return file, None
    if declared.get("content") is not None:
        return "", str(declared["content"])
    variable = str(declared.get("environment") or "")
    values = {**inputs.variables, **inputs.secret_variables}
    if variable in values:
        return "", values[variable]
    what = f"variable {variable} has no value" if variable else "no Compose file says where it is"
    raise InvalidSpec(f"{section[:-1]} `{name}`: {what} in {inputs.environment.name}")


def _reader(inputs: RenderInputs, service: str, item: Mapping[str, Any]) -> int | None:
    """The uid that must read a secret; None when nothing says it as a number.

    An image that starts as root often gives that up before it reads its secrets (the official
    database images do), so only a written `user:` or `uid:` means root alone.
    """
    written = item.get("uid")
    if written in (None, ""):
        written = inputs.service(service).get("user") or inputs.users.get(service)
    user = str(written or "").split(":", 1)[0]
    if user == "root":
        return 0
    return int(user) if user.isdigit() else None


def _is_named(inputs: RenderInputs, service: str) -> bool:
    user = str(inputs.service(service).get("user") or inputs.users.get(service) or "")
    return user.split(":", 1)[0] not in ("", "root")
