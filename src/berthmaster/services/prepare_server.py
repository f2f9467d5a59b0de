"""`berth server prepare`: everything a server needs before its first deploy; safe to run again."""

from collections.abc import Sequence
from pathlib import Path

from berthmaster.ports.outside import Outside
from berthmaster.ports.units import Units

FOLDER_MODE = 0o700


async def prepare_server(
    outside: Outside, folders: Sequence[Path], units: Units
) -> tuple[str, ...]:
    """Make folders, store, firewall chain and timer; returns a line for each thing done."""
    told = [f"made {folder} (0700)" for folder in folders if _make(folder)]
    version = await outside.runtime.version()
    told.append(f"Docker Engine {version.version}, Compose {await outside.compose.version()}")
    problems = outside.store.check()
    told.append("the store is sound" if not problems else f"the store is damaged: {problems[0]}")
    changed = await outside.firewall.ensure(outside.address_block, outside.listened_ports)
    told.append("the firewall chain was written" if changed else "the firewall chain was right")
    told += [f"wrote {name} for systemd" for name in await units.install()]
    return tuple(told)


async def unprepare_server(units: Units) -> tuple[str, ...]:
    """Take timer and boot unit away; returns a line for each. Stacks and records stay."""
    return tuple(f"removed {name} from systemd" for name in await units.remove())


def _make(folder: Path) -> bool:
    is_new = not folder.is_dir()
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    if is_new:
        folder.chmod(FOLDER_MODE)
    return is_new
