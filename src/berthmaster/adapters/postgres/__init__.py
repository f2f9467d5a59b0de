"""Restore points of PostgreSQL, behind `ports.databases`."""

from berthmaster.adapters.postgres.dumps import PostgresDumps

__all__ = ["PostgresDumps"]
