"""Limits per person."""

from typing import TYPE_CHECKING

from django.db import connection
from rest_framework.throttling import ScopedRateThrottle, UserRateThrottle

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView  # which loads this module


class TenantUserThrottle(UserRateThrottle):
    """Every tenant has a user 1; each is counted alone."""

    def get_cache_key(self, request: "Request", view: "APIView") -> str | None:
        """Return the key, with the tenant in it."""
        key = super().get_cache_key(request, view)
        return key and f"{connection.schema_name}:{key}"


class TenantScopedThrottle(ScopedRateThrottle):
    """A limit of its own for some views (`throttle_scope`), per user of a tenant."""

    def get_cache_key(self, request: "Request", view: "APIView") -> str | None:
        """Return the key, with the tenant in it."""
        key = super().get_cache_key(request, view)
        return key and f"{connection.schema_name}:{key}"
