"""The server's memory in one SQLite file (`ports/store.py`).

Standard library only and nothing slow to import: every command opens the store before it prints a
line. The only package that holds SQL.
"""

from berthmaster.adapters.store.sqlite import SqliteStore

__all__ = ["SqliteStore"]
