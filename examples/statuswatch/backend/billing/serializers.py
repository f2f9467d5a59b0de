"""JSON of plan and payment."""

from rest_framework import serializers

from tenants.plans import Plan

LONGEST_PATH = 200


class PlanSerializer(serializers.Serializer):
    """What can be had."""

    id = serializers.ChoiceField(choices=Plan.choices)
    name = serializers.CharField()
    price = serializers.CharField(help_text="For people: `0` or `9 USD a month`.")
    endpoint_limit = serializers.IntegerField(allow_null=True, help_text="null: as many as you like.")


class BillingSerializer(serializers.Serializer):
    """What an organization has."""

    plan = serializers.ChoiceField(choices=Plan.choices, help_text="`canceled` has what `free` has.")
    status = serializers.CharField(
        help_text="Stripe's word for the subscription: active, trialing, past_due, unpaid, canceled ...; empty: none."
    )
    is_past_due = serializers.BooleanField(help_text="A payment failed; Stripe tries again, meanwhile Pro goes on.")
    current_period_end = serializers.DateTimeField(allow_null=True)
    cancel_at_period_end = serializers.BooleanField()
    endpoint_limit = serializers.IntegerField(allow_null=True)
    endpoint_count = serializers.IntegerField()
    endpoints_over_limit = serializers.IntegerField(help_text="Kept, shown and not checked, until there is room.")
    can_manage = serializers.BooleanField(help_text="Whether who asks may buy and cancel: owners, once keys are set.")
    plans = PlanSerializer(many=True)


class ReturnSerializer(serializers.Serializer):
    """Where Stripe sends people back to: a path of the host that was asked."""

    return_path = serializers.CharField(max_length=LONGEST_PATH, default="/billing")

    def validate_return_path(self, path: str) -> str:
        """Refuse what could lead to another host."""
        if not path.startswith("/") or path.startswith("//") or any(mark in path for mark in "\\#?\r\n\t"):
            raise serializers.ValidationError("Write a path like /billing, without a query.")
        return path


class AddressSerializer(serializers.Serializer):
    """A page of Stripe's, to be opened now; it does not live long."""

    url = serializers.URLField()


class PaymentConfigSerializer(serializers.Serializer):
    """What a page needs to know before anybody has logged in."""

    public_key = serializers.CharField()
    price_id = serializers.CharField()
    test_mode = serializers.BooleanField()
