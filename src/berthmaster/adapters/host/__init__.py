"""The machine itself, read from /proc and the file system."""

from berthmaster.adapters.host.linux import LinuxHost

__all__ = ["LinuxHost"]
