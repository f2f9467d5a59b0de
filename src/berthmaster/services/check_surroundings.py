"""What every deploy asks of the machine before it changes anything: disk, gateway, firewall."""

from berthmaster.domain.errors import NotAllowed, OutsideError
from berthmaster.domain.release import Release
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress


async def refuse_bad_surroundings(outside: Outside, release: Release, progress: Progress) -> None:
    """Raise `OutsideError` or `NotAllowed` with the remedy; mends a changed firewall chain."""
    refuse_short_disk(outside)
    await refuse_without_gateway(outside, release)
    if await outside.firewall.ensure(outside.address_block, outside.listened_ports):
        progress.note("the firewall chain had been changed; it is as it must be again")


def refuse_short_disk(outside: Outside) -> None:
    """Raise `OutsideError` when the state folder's disk is below the floor."""
    shortage = disk_shortage(outside)
    if shortage:
        raise OutsideError(
            f"no deploy starts with so little disk: {shortage}",
            subject="disk",
            next_command="free space, or lower the setting disk_floor_percent",
        )


def disk_shortage(outside: Outside) -> str:
    """What is short on the state folder's disk, in words; empty when nothing is."""
    disk = outside.host.disk(outside.state_folder)
    free = 100 * disk.free_bytes / max(disk.total_bytes, 1)
    inodes = 100 * disk.free_inodes / max(disk.total_inodes, 1)
    floor = outside.disk_floor_percent
    if free < floor or (disk.total_inodes > 0 and inodes < floor):
        where = outside.state_folder
        return f"{free:.0f} % of {where} free, {inodes:.0f} % of its inodes; the floor is {floor} %"
    return ""


async def refuse_without_gateway(outside: Outside, release: Release) -> None:
    """Raise when the release has routes and the gateway cannot take them."""
    if not release.routes or not release.hosts:
        return
    if release.entrypoint not in {item.name for item in outside.entrypoints}:
        known = ", ".join(item.name for item in outside.entrypoints)
        raise NotAllowed(
            f"{release.stack} wants the entrypoint {release.entrypoint!r}; this server has {known}",
            next_command="set `entrypoint` of the environment, or add it to the server's settings",
        )
    status = await outside.router.status()
    if not status.is_router_up:
        raise OutsideError(
            "the gateway does not run", subject="gateway", next_command="berth gateway up"
        )
