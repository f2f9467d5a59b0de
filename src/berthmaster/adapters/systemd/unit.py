"""The units as text; nothing here reads or writes."""

from pathlib import Path
from typing import Final

TIMER: Final = "berthmaster-tick.timer"
TICK: Final = "berthmaster-tick.service"
FIREWALL: Final = "berthmaster-firewall.service"
BACKUP: Final = "berthmaster-backup.service"
BACKUP_TIMER: Final = "berthmaster-backup.timer"
SWITCHED_ON: Final = (TIMER, FIREWALL)
_MARK: Final = "# Written by `berth server prepare`; a change is overwritten.\n"


def render_units(command: Path, backup_at: str | None = None) -> dict[str, str]:
    """Every unit by its file name; `command` is the `berth` that they run.

    With `backup_at` (`HH:MM`) those of the daily backup, too.
    """
    units = {TICK: _tick(command), TIMER: _timer(), FIREWALL: _firewall(command)}
    if backup_at is not None:
        units |= {BACKUP: _backup(command), BACKUP_TIMER: _backup_timer(backup_at)}
    return units


def _backup(command: Path) -> str:
    """Not stopped for being slow: the first one over a thin line may take a day."""
    return f"""{_MARK}[Unit]
Description=Berthmaster: backup of this server
After=docker.service network-online.target
Wants=network-online.target

[Service]
Type=oneshot
ExecStart={_escaped(command)} server backup
TimeoutStartSec=infinity
Nice=10
IOSchedulingClass=idle
"""


def _backup_timer(at: str) -> str:
    """One that was missed while the machine was off is made up for."""
    return f"""{_MARK}[Unit]
Description=Berthmaster: daily backup

[Timer]
OnCalendar=*-*-* {at}:00
RandomizedDelaySec=5min
Persistent=true

[Install]
WantedBy=timers.target
"""


def _tick(command: Path) -> str:
    """Not longer than a deploy that it finishes may take; one that runs is never started twice."""
    return f"""{_MARK}[Unit]
Description=Berthmaster: retire, recover, forget
After=docker.service

[Service]
Type=oneshot
ExecStart={_escaped(command)} tick
TimeoutStartSec=1h
"""


def _timer() -> str:
    return f"""{_MARK}[Unit]
Description=Berthmaster: housekeeping every minute

[Timer]
OnBootSec=1min
OnUnitInactiveSec=1min
AccuracySec=5s

[Install]
WantedBy=timers.target
"""


def _firewall(command: Path) -> str:
    """After Docker, which puts chains of its own in front when it starts."""
    return f"""{_MARK}[Unit]
Description=Berthmaster: firewall chain
Wants=docker.service
After=docker.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={_escaped(command)} server prepare

[Install]
WantedBy=multi-user.target
"""


def _escaped(command: Path) -> str:
    return str(command).replace("%", "%%").replace(" ", "\\x20")
