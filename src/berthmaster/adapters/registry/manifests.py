"""What a manifest says: for which machines an image is, and how much there is to pull.

One image has a list of layers and names its machine in its configuration; an index lists manifests
by machine (OCI image specification).
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from berthmaster.adapters.registry import errors
from berthmaster.adapters.registry.reference import Reference
from berthmaster.ports.registry import RemoteImage

Read = Callable[[str], Awaitable[Any]]  # JSON below `/v2/<name>/`; None for 404


def parse(wanted: Reference, body: bytes) -> Any:
    """JSON of an answer; raises `OutsideError`."""
    try:
        found = json.loads(body)
    except ValueError as exc:
        raise errors.unreadable(wanted) from exc
    if not isinstance(found, dict):
        raise errors.unreadable(wanted)
    return found


async def describe(wanted: Reference, architecture: str, read: Read) -> RemoteImage | None:
    """Follow an index to the manifest of this machine, and a manifest to its configuration."""
    found = await read(wanted.manifest_path)
    if found is None:
        return None
    try:
        if "manifests" not in found:
            return await _of_one(found, read)
        return await _of_many(found["manifests"], architecture, read)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise errors.unreadable(wanted) from exc


async def _of_many(
    manifests: list[Mapping[str, Any]], architecture: str, read: Read
) -> RemoteImage:
    by_machine = {
        str(item["platform"]["architecture"]): str(item["digest"])
        for item in manifests
        if item.get("platform", {}).get("os") == "linux"
    }
    digest = by_machine.get(architecture)
    one = await read(f"manifests/{digest}") if digest else None
    return RemoteImage(tuple(sorted(by_machine)), _size(one) if one else 0)


async def _of_one(manifest: Mapping[str, Any], read: Read) -> RemoteImage:
    config = await read(f"blobs/{manifest['config']['digest']}") or {}
    machine = str(config.get("architecture") or "")
    return RemoteImage((machine,) if machine else (), _size(manifest))


def _size(manifest: Mapping[str, Any]) -> int:
    return sum(int(layer["size"]) for layer in manifest["layers"])
