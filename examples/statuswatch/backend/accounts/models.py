"""What Django's user lacks; in the tenant's schema."""

import hashlib
import secrets
from datetime import datetime

from django.conf import settings
from django.db import models

PREFIX = "sw_"


class Profile(models.Model):
    """Whether a user's address is known to be theirs. A user without a profile is older than this table, and is."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile")
    email_verified = models.BooleanField(default=False)
    verification_sent_at = models.DateTimeField(null=True)


class ApiToken(models.Model):
    """A key for a program. Only its digest is stored: whoever reads the database cannot use it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=120)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]

    @classmethod
    def issue(cls, user: object, name: str) -> tuple["ApiToken", str]:
        """Store a new token; its key is returned here and never again."""
        key = PREFIX + secrets.token_urlsafe(32)
        return cls.objects.create(user=user, name=name, digest=digest_of(key)), key

    def note_use(self, now: datetime) -> None:
        """Remember the minute of the last use."""
        if self.last_used_at is None or (now - self.last_used_at).total_seconds() > 60:
            type(self).objects.filter(pk=self.pk).update(last_used_at=now)


def digest_of(key: str) -> str:
    """Return what is stored of a key. It is random and long, so a plain hash is enough."""
    return hashlib.sha256(key.encode()).hexdigest()
