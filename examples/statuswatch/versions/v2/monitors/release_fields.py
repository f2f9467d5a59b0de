"""Version 2 knows since when an endpoint has its status.

The column is nullable and version 1 never names it, so both releases run on this schema (expand). Only a release after
the last one that may still be rolled back to version 1 may make it NOT NULL (contract).
"""

from datetime import datetime

from django.db import models

API_FIELDS: tuple[str, ...] = ("status_since",)


class ReleaseFields(models.Model):
    """Columns that only this release knows."""

    status_since = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True

    def note_status(self, status: str, now: datetime) -> tuple[str, ...]:
        """Take note of a status about to be stored; return the columns that changed."""
        if status == self.last_status and self.status_since is not None:
            return ()
        self.status_since = now
        return ("status_since",)
