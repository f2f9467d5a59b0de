"""Tenants and their hosts, in the public schema."""

from django.db import models
from django.db.models.functions import Lower
from django_tenants.models import DomainMixin, TenantMixin

from tenants.plans import Plan


class Client(TenantMixin):
    """An organization; saving a new one makes its schema."""

    name = models.CharField(max_length=100, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    paid_until = models.DateField(null=True, blank=True)
    on_trial = models.BooleanField(default=False, db_default=False)
    subscription_status = models.CharField(max_length=16, choices=Plan.choices, default=Plan.FREE, db_default=Plan.FREE)
    stripe_customer_id = models.CharField(max_length=255, blank=True, default="", db_default="")

    class Meta:
        constraints = [models.UniqueConstraint(Lower("name"), name="client_name_any_case")]
        indexes = [
            models.Index(
                fields=["stripe_customer_id"],
                name="client_stripe_customer",
                condition=~models.Q(stripe_customer_id=""),
            )
        ]

    def __str__(self) -> str:
        return self.name


class Domain(DomainMixin):
    """A host that belongs to a tenant; the library keeps one of them primary."""
