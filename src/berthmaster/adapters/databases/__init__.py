"""Every database that Berthmaster can dump, behind one port."""

from berthmaster.adapters.databases.known import KnownDatabases

__all__ = ["KnownDatabases"]
