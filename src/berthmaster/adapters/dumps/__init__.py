"""Restore points on disk, whatever database they are of."""
