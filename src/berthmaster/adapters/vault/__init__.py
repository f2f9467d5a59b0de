"""Encryption at rest with a key file (`ports/vault.py`).

Imports the library only when it is used.
"""

from berthmaster.adapters.vault.key_file import KeyFileVault

__all__ = ["KeyFileVault"]
