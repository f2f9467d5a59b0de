"""The state folder on disk: contents, release folders, sites, dumps, logs (`ports/files.py`).

Imports nothing by itself: remembered outlines (`outlines.py`) are read by quick commands.
"""
