"""What a release adds to an endpoint. Version 1 adds nothing; `versions/v2` lays its own file over this one."""

from datetime import datetime

from django.db import models

API_FIELDS: tuple[str, ...] = ()


class ReleaseFields(models.Model):
    """Columns that only this release knows."""

    class Meta:
        abstract = True

    def note_status(self, status: str, now: datetime) -> tuple[str, ...]:
        """Take note of a status about to be stored; return the columns that changed."""
        return ()
