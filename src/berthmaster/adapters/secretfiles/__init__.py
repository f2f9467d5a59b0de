"""An app's secret files on the disk, and new values (`ports/secretfiles.py`).

Imports the library for keys and certificates only when one is made or read.
"""

from berthmaster.adapters.secretfiles.folder import DiskSecretFiles

__all__ = ["DiskSecretFiles"]
