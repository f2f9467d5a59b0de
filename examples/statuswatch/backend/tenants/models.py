"""Tenants and their hosts, in the public schema."""

from django.db import models
from django_tenants.models import DomainMixin, TenantMixin


class Client(TenantMixin):
    """An organization; saving a new one makes its schema."""

    name = models.CharField(max_length=100, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Domain(DomainMixin):
    """A host that belongs to a tenant; the library keeps one of them primary."""
