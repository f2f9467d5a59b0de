"""CRUD of endpoints, and the tenant's status page."""

from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ModelViewSet

from monitors import schedule
from monitors.models import CheckResult, Endpoint
from monitors.serializers import EndpointSerializer
from monitors.sparkline import RESULTS_SHOWN, Row


class EndpointViewSet(ModelViewSet):
    """Endpoints of the tenant whose host was asked."""

    queryset = Endpoint.objects.all()
    serializer_class = EndpointSerializer

    def perform_create(self, serializer: BaseSerializer) -> None:
        """Store and check at once."""
        schedule.enqueue_now(serializer.save(), timezone.now())


@never_cache
@require_safe
def status_page(request: HttpRequest) -> HttpResponse:
    """Show every endpoint with status, latency and its last results."""
    recent = Prefetch("results", queryset=CheckResult.objects.all()[:RESULTS_SHOWN], to_attr="recent")
    rows = [Row(endpoint) for endpoint in Endpoint.objects.prefetch_related(recent)]
    down = sum(row.state == "down" for row in rows)
    pending = sum(row.state == "pending" for row in rows)
    context = {
        "tenant": request.tenant,
        "rows": rows,
        "down_count": down,
        "pending_count": pending,
        "now": timezone.now(),
    }
    return render(request, "status.html", context)
