"""Puts the units in place and switches them on; touches only files of these names."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from berthmaster.adapters.systemd.errors import UnitsFailed
from berthmaster.adapters.systemd.unit import BACKUP, BACKUP_TIMER, SWITCHED_ON, render_units

FOLDER: Final = Path("/etc/systemd/system")
RUNS: Final = Path("/run/systemd/system")  # is there when systemd is this machine's init


class SystemdUnits:
    """The units under `folder`; without systemd, or when it is not wanted, there is nothing to do.

    `command` is the `berth` that the units run.
    """

    def __init__(
        self,
        command: Path,
        *,
        is_wanted: bool = True,
        backup_at: str | None = None,
        folder: Path = FOLDER,
        runs: Path = RUNS,
        systemctl: str = "systemctl",
    ) -> None:
        self._command = command
        self._is_wanted = is_wanted
        self._backup_at = backup_at
        self._folder = folder
        self._runs = runs
        self._systemctl = systemctl

    async def install(self) -> tuple[str, ...]:
        """Write what differs, then reload and switch on; names of what was written."""
        if not self._is_wanted or not self._runs.is_dir():
            return ()
        units = render_units(self._command, self._backup_at)
        changed = tuple(name for name, text in units.items() if self._write(name, text))
        if changed:
            await self._run("daemon-reload")
            await self._run("enable", *SWITCHED_ON)
            await self._run("start", SWITCHED_ON[0])
            if BACKUP_TIMER in units:
                await self._run("enable", "--now", BACKUP_TIMER)
        await self._remove_backup_timer(units)
        return changed

    async def _remove_backup_timer(self, units: Mapping[str, str]) -> None:
        """Without a target nothing may run that can only fail."""
        left = [name for name in (BACKUP_TIMER, BACKUP) if name not in units]
        there = [name for name in left if (self._folder / name).exists()]
        if BACKUP_TIMER in there:
            await self._run("disable", "--now", BACKUP_TIMER)
        for name in there:
            (self._folder / name).unlink(missing_ok=True)

    async def remove(self) -> tuple[str, ...]:
        """Switch off and remove those that are there."""
        every = render_units(self._command, backup_at="00:00")
        there = tuple(name for name in every if (self._folder / name).exists())
        if not self._is_wanted or not there:
            return ()
        if self._runs.is_dir():
            on = (*SWITCHED_ON, BACKUP_TIMER)
            await self._run("disable", "--now", *(name for name in on if name in there))
        for name in there:
            (self._folder / name).unlink(missing_ok=True)
        if self._runs.is_dir():
            await self._run("daemon-reload")
        return there

    def _write(self, name: str, text: str) -> bool:
        path = self._folder / name
        try:
            if path.exists() and path.read_text() == text:
                return False
            fresh = path.with_name(f".{name}.new")
            fresh.write_text(text)
            fresh.chmod(0o644)
            os.replace(fresh, path)
        except OSError as error:
            raise UnitsFailed(str(path), str(error)) from error
        return True

    async def _run(self, *arguments: str) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                self._systemctl,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise UnitsFailed(self._systemctl, str(error)) from error
        _, complaint = await process.communicate()
        if process.returncode != 0:
            raise UnitsFailed(
                f"systemctl {' '.join(arguments)}", complaint.decode(errors="replace").strip()
            )
