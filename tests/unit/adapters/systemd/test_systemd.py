"""Units are written once, switched on, and taken away; a stub stands for `systemctl`."""

import os
from pathlib import Path

import pytest

from berthmaster.adapters.systemd import SystemdUnits
from berthmaster.adapters.systemd.unit import (
    BACKUP,
    BACKUP_TIMER,
    FIREWALL,
    TICK,
    TIMER,
    render_units,
)
from berthmaster.domain.errors import OutsideError

GOLDEN = Path(__file__).parents[3] / "golden" / "systemd"
COMMAND = Path("/opt/berth master/bin/berth")


@pytest.mark.parametrize("name", [TICK, TIMER, FIREWALL, BACKUP, BACKUP_TIMER])
def test_a_unit_reads_as_it_was_reviewed(name: str) -> None:
    text, path = render_units(COMMAND, "03:15")[name], GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine that systemd booted; its `systemctl` notes what it is asked."""
    for name in ("units", "runs"):
        (tmp_path / name).mkdir()
    stub = tmp_path / "systemctl"
    stub.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    stub.chmod(0o755)
    return tmp_path


def units(
    machine: Path,
    command: Path = COMMAND,
    *,
    is_wanted: bool = True,
    backup_at: str | None = None,
) -> SystemdUnits:
    return SystemdUnits(
        command,
        is_wanted=is_wanted,
        backup_at=backup_at,
        folder=machine / "units",
        runs=machine / "runs",
        systemctl=str(machine / "systemctl"),
    )


def asked(machine: Path) -> list[str]:
    path = machine / "asked"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


async def test_units_are_written_and_switched_on_once(machine: Path) -> None:
    assert await units(machine).install() == (TICK, TIMER, FIREWALL)
    assert asked(machine) == ["daemon-reload", f"enable {TIMER} {FIREWALL}", f"start {TIMER}"]
    assert await units(machine).install() == ()
    assert asked(machine) == []
    assert {path.name for path in (machine / "units").iterdir()} == {TICK, TIMER, FIREWALL}


async def test_the_backup_timer_comes_with_a_target_and_goes_with_it(machine: Path) -> None:
    await units(machine).install()
    asked(machine)
    assert await units(machine, backup_at="03:15").install() == (BACKUP, BACKUP_TIMER)
    assert asked(machine)[-1] == f"enable --now {BACKUP_TIMER}"
    await units(machine).install()
    assert asked(machine)[0] == f"disable --now {BACKUP_TIMER}"
    assert not (machine / "units" / BACKUP).exists()


async def test_another_berth_changes_only_what_names_it(machine: Path) -> None:
    await units(machine).install()
    assert await units(machine, Path("/usr/bin/berth")).install() == (TICK, FIREWALL)


async def test_removing_leaves_foreign_units_alone(machine: Path) -> None:
    await units(machine).install()
    (machine / "units/other.service").write_text("")
    asked(machine)
    assert await units(machine).remove() == (TICK, TIMER, FIREWALL)
    assert asked(machine) == [f"disable --now {TIMER} {FIREWALL}", "daemon-reload"]
    assert [path.name for path in (machine / "units").iterdir()] == ["other.service"]
    assert await units(machine).remove() == ()


async def test_without_systemd_or_for_a_trial_nothing_is_written(machine: Path) -> None:
    assert await units(machine, is_wanted=False).install() == ()
    (machine / "runs").rmdir()
    assert await units(machine).install() == ()
    assert not list((machine / "units").iterdir())


async def test_what_systemctl_refuses_is_said(machine: Path) -> None:
    (machine / "systemctl").write_text("#!/bin/sh\necho 'Unit is masked' >&2\nexit 1\n")
    with pytest.raises(OutsideError, match="daemon-reload: Unit is masked"):
        await units(machine).install()
