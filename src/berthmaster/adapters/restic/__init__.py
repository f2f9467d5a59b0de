"""Backups in a repository of restic: encrypted, deduplicated, verified; not written by us."""

from berthmaster.adapters.restic.credentials import read_credentials
from berthmaster.adapters.restic.repository import ResticBackups
from berthmaster.adapters.restic.target import parse_target

__all__ = ["ResticBackups", "parse_target", "read_credentials"]
