"""systemd as what runs Berthmaster when nobody types."""

from berthmaster.adapters.systemd.systemd import SystemdUnits

__all__ = ["SystemdUnits"]
