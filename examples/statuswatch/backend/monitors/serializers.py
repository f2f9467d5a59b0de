"""JSON of an endpoint."""

from rest_framework import serializers

from monitors import target
from monitors.models import Endpoint
from monitors.release_fields import API_FIELDS


class EndpointSerializer(serializers.ModelSerializer):
    """What a user may read and write."""

    class Meta:
        model = Endpoint
        read_only_fields = (
            "id",
            "last_status",
            "last_checked_at",
            "last_latency_ms",
            "created_at",
            *API_FIELDS,
        )
        fields = ("name", "url", "interval_minutes", *read_only_fields)

    def validate_url(self, url: str) -> str:
        """Refuse what may not be checked; a name that does not resolve today may be one worth watching."""
        try:
            target.resolve(target.parse_url(url))
        except target.TargetRefused as exc:
            raise serializers.ValidationError(str(exc)) from exc
        except target.NameUnknown:
            pass
        return url
