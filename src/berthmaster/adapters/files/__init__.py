"""The state folder on disk: contents, release folders, sites, dumps, logs (`ports/files.py`)."""

from berthmaster.adapters.files.state_files import StateFiles

__all__ = ["StateFiles"]
