"""JSON of endpoints, incidents, maintenance and channels."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from rest_framework import serializers

from monitors import conditions, target, watching
from monitors.models import Alert, AlertChannel, DeadLetter, DeployMark, Endpoint, Incident, MaintenanceWindow
from monitors.release_fields import API_FIELDS
from tenants.plans import plan_here


class EndpointSerializer(serializers.ModelSerializer):
    """What a user may read and write."""

    paused_by = serializers.SerializerMethodField(help_text="`person`, `plan` (no room in it) or empty.")

    class Meta:
        model = Endpoint
        read_only_fields = (
            "id",
            "paused_by",
            "last_status",
            "last_checked_at",
            "last_latency_ms",
            "certificate_expires_at",
            "consecutive_failures",
            "created_at",
            *API_FIELDS,
        )
        fields = (
            "name",
            "url",
            "interval_minutes",
            "expected_status",
            "body_contains",
            "max_latency_ms",
            "min_certificate_days",
            "is_paused",
            *read_only_fields,
        )

    def get_paused_by(self, endpoint: Endpoint) -> str:
        """Say why an endpoint is not checked; asked once for a whole list."""
        if "within" not in self.context:
            self.context["within"] = watching.within_or_none(plan_here())
        return watching.paused_by(endpoint, self.context["within"])

    def validate_url(self, url: str) -> str:
        """Refuse what may not be checked."""
        return _check_target(url)

    def validate_expected_status(self, text: str) -> str:
        """Refuse what is no list of statuses."""
        try:
            return text and ",".join(_shown(found) for found in conditions.parse_statuses(text))
        except ValueError as exc:
            raise serializers.ValidationError("Write statuses like 200,204 or 200-299,401.") from exc


class IncidentSerializer(serializers.ModelSerializer):
    """A time in which an endpoint was down."""

    endpoint_name = serializers.CharField(source="endpoint.name", read_only=True)

    class Meta:
        model = Incident
        fields = ("id", "endpoint", "endpoint_name", "cause", "started_at", "resolved_at")


class MaintenanceWindowSerializer(serializers.ModelSerializer):
    """A planned time; without an endpoint it is for all."""

    class Meta:
        model = MaintenanceWindow
        fields = ("id", "name", "endpoint", "starts_at", "ends_at")

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        """Refuse a window that ends before it starts."""
        starts_at = attrs.get("starts_at") or self.instance.starts_at
        if (attrs.get("ends_at") or self.instance.ends_at) <= starts_at:
            raise serializers.ValidationError({"ends_at": "It must be later than the start."})
        return attrs


class AlertChannelSerializer(serializers.ModelSerializer):
    """Where alerts go; the secret is written and never read."""

    class Meta:
        model = AlertChannel
        fields = ("id", "kind", "target", "secret", "is_enabled", "created_at")
        read_only_fields = ("created_at",)
        extra_kwargs = {"secret": {"write_only": True}}

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        """Refuse a target that is no address of its kind, or a webhook that leads inside."""
        kind = attrs.get("kind") or self.instance.kind
        goal = str(attrs.get("target") or self.instance.target)
        try:
            if kind == AlertChannel.Kind.EMAIL:
                validate_email(goal)
            else:
                _check_target(goal)
        except (ValidationError, serializers.ValidationError) as exc:
            message = exc.detail if isinstance(exc, serializers.ValidationError) else exc.messages
            raise serializers.ValidationError({"target": message}) from exc
        return attrs


class AlertSerializer(serializers.ModelSerializer):
    """What became of one message."""

    class Meta:
        model = Alert
        fields = (
            "id",
            "channel",
            "incident",
            "event",
            "state",
            "attempts",
            "last_error",
            "created_at",
            "sent_at",
        )


class DeployMarkSerializer(serializers.ModelSerializer):
    """A deploy; now, unless it says when."""

    class Meta:
        model = DeployMark
        fields = ("id", "name", "version", "marked_at")


class DeadLetterSerializer(serializers.ModelSerializer):
    """Work that was given up."""

    class Meta:
        model = DeadLetter
        fields = ("id", "task", "subject", "reason", "count", "first_at", "last_at")


def _check_target(url: str) -> str:
    """A name that does not resolve today may be one worth watching."""
    try:
        target.resolve(target.parse_url(url))
    except target.TargetRefused as exc:
        raise serializers.ValidationError(str(exc)) from exc
    except target.NameUnknown:
        pass
    return url


def _shown(statuses: range) -> str:
    return str(statuses[0]) if len(statuses) == 1 else f"{statuses[0]}-{statuses[-1]}"
