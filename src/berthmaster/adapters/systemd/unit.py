"""The units as text; nothing here reads or writes."""

from pathlib import Path
from typing import Final

TIMER: Final = "berthmaster-tick.timer"
TICK: Final = "berthmaster-tick.service"
FIREWALL: Final = "berthmaster-firewall.service"
SWITCHED_ON: Final = (TIMER, FIREWALL)
_MARK: Final = "# Written by `berth server prepare`; a change is overwritten.\n"


def render_units(command: Path) -> dict[str, str]:
    """Every unit by its file name; `command` is the `berth` that they run."""
    return {TICK: _tick(command), TIMER: _timer(), FIREWALL: _firewall(command)}


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
