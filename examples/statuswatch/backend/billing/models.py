"""What Stripe told us, in the public schema beside the organizations."""

from django.db import models

from tenants.models import Client


class Account(models.Model):
    """The subscription of an organization as Stripe last described it.

    Its row is locked while Stripe is asked, so that an older answer never overwrites a newer one.
    """

    client = models.OneToOneField(Client, on_delete=models.CASCADE, related_name="billing_account")
    subscription_id = models.CharField(max_length=255, blank=True, default="", db_default="")
    status = models.CharField(max_length=32, blank=True, default="", db_default="")  # Stripe's own word; empty: none
    current_period_end = models.DateTimeField(null=True)
    cancel_at_period_end = models.BooleanField(default=False, db_default=False)
    synchronized_at = models.DateTimeField(null=True)


class ReceivedEvent(models.Model):
    """An event that was taken in. Stripe sends some twice and few in order; each counts once."""

    id = models.CharField(max_length=255, primary_key=True)  # Stripe's
    type = models.CharField(max_length=100)
    outcome = models.CharField(max_length=32)
    happened_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["received_at"], name="event_received")]
