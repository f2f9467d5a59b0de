"""The API of a tenant's endpoints and what belongs to them, and the public status page."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from django.conf import settings
from django.core.cache import cache
from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.mixins import CreateModelMixin, DestroyModelMixin, ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet, ModelViewSet, ReadOnlyModelViewSet

from monitors import history, schedule, tasks, watching
from monitors.models import (
    Alert,
    AlertChannel,
    DeadLetter,
    DeployMark,
    Endpoint,
    Incident,
    MaintenanceWindow,
)
from monitors.serializers import (
    AlertChannelSerializer,
    AlertSerializer,
    DeadLetterSerializer,
    DeployMarkSerializer,
    EndpointSerializer,
    IncidentSerializer,
    MaintenanceWindowSerializer,
)
from monitors.sparkline import RESULTS_SHOWN, Row, state_of
from tenants.models import Client
from tenants.plans import endpoint_limit_or_none, plan_here

INCIDENTS_SHOWN = 5
CHANNELS_PER_TENANT = 10


class EndpointViewSet(ModelViewSet):
    """Endpoints of the tenant whose host was asked."""

    queryset = Endpoint.objects.all()
    serializer_class = EndpointSerializer

    def perform_create(self, serializer: BaseSerializer) -> None:
        """Store and check at once; 403 when the plan has no more room."""
        with _refusing_twins():
            _check_room()
            schedule.enqueue_now(serializer.save(), timezone.now())

    def perform_update(self, serializer: BaseSerializer) -> None:
        """Store, in the row as it is now: a check that came in meanwhile keeps what it wrote."""
        with _refusing_twins():
            serializer.instance = get_object_or_404(Endpoint.objects.select_for_update(), pk=serializer.instance.pk)
            serializer.save()

    @extend_schema(request=EndpointSerializer, responses={200: EndpointSerializer, 201: EndpointSerializer})
    @action(detail=False, methods=["put"], url_path="by-url")
    def by_url(self, request: Request) -> Response:
        """Store what is watched at a URL, whether or not it is there yet: a program need not remember ids.

        Answer 201 when it is new, else 200; what is not sent stays as it was.
        """
        if found := self._of_url_or_none(request):
            return self._changed(request, found)
        given = self.get_serializer(data=request.data)
        try:
            given.is_valid(raise_exception=True)
            self.perform_create(given)
        except (ValidationError, PermissionDenied):
            # Another request may have made it since this one looked, and taken the last place of the plan with it.
            if found := self._of_url_or_none(request):
                return self._changed(request, found)
            raise
        return Response(given.data, status=status.HTTP_201_CREATED)

    def _of_url_or_none(self, request: Request) -> Endpoint | None:
        return Endpoint.objects.filter(url=str(request.data.get("url", ""))).first()

    def _changed(self, request: Request, found: Endpoint) -> Response:
        given = self.get_serializer(found, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        self.perform_update(given)
        return Response(given.data)

    @extend_schema(parameters=[OpenApiParameter("period", enum=list(history.PERIODS))], responses=OpenApiTypes.OBJECT)
    @action(detail=True)
    def history(self, request: Request, pk: str) -> Response:
        """Answer latency over a `period` (24h, 7d or 30d) and the uptime of all three."""
        name = request.query_params.get("period", "24h")
        if name not in history.PERIODS:
            raise ValidationError({"period": f"Choose one of {', '.join(history.PERIODS)}."})
        endpoint, now = self.get_object(), timezone.now()
        found = history.buckets(endpoint, now, history.PERIODS[name])
        marks = DeployMark.objects.filter(marked_at__gt=now - history.PERIODS[name])
        return Response(
            {
                "period": name,
                "buckets": [asdict(bucket) for bucket in found],
                "uptime": history.uptime(endpoint, now),
                "deploys": DeployMarkSerializer(marks, many=True).data,
            }
        )


class IncidentViewSet(ReadOnlyModelViewSet):
    """Incidents, newest first; `?open=true` those that last."""

    queryset = Incident.objects.select_related("endpoint")
    serializer_class = IncidentSerializer

    def get_queryset(self) -> object:
        """Leave out what is over when asked to."""
        found = super().get_queryset()
        return found.filter(resolved_at=None) if self.request.query_params.get("open") == "true" else found


class MaintenanceWindowViewSet(ModelViewSet):
    """Planned times."""

    queryset = MaintenanceWindow.objects.all()
    serializer_class = MaintenanceWindowSerializer


class AlertChannelViewSet(ModelViewSet):
    """Where alerts go."""

    queryset = AlertChannel.objects.all()
    serializer_class = AlertChannelSerializer

    def perform_create(self, serializer: BaseSerializer) -> None:
        """Store; a tenant has a few channels, not a mailing list."""
        if AlertChannel.objects.count() >= CHANNELS_PER_TENANT:
            raise PermissionDenied(f"An organization has at most {CHANNELS_PER_TENANT} channels.")
        serializer.save()

    @extend_schema(request=None, responses={202: AlertSerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send a test alert."""
        now = timezone.now()
        alert = Alert.objects.create(
            channel=self.get_object(), event=Alert.Event.TEST, created_at=now, next_attempt_at=now
        )
        schema_name = connection.schema_name
        transaction.on_commit(lambda: tasks.send_later(schema_name, [alert]))
        return Response(AlertSerializer(alert).data, status=status.HTTP_202_ACCEPTED)


class AlertViewSet(ReadOnlyModelViewSet):
    """Messages and what became of them."""

    queryset = Alert.objects.all()
    serializer_class = AlertSerializer


class DeployMarkViewSet(CreateModelMixin, ListModelMixin, DestroyModelMixin, GenericViewSet):
    """Deploys, newest first; written by whoever deploys."""

    queryset = DeployMark.objects.all()
    serializer_class = DeployMarkSerializer


class DeadLetterViewSet(ReadOnlyModelViewSet):
    """Work that was given up."""

    queryset = DeadLetter.objects.all()
    serializer_class = DeadLetterSerializer


@never_cache
@require_safe
def status_page(request: HttpRequest) -> HttpResponse:
    """Show every endpoint with status, latency and its last results, and the incidents and maintenance of now."""
    rows = _rows()
    down = sum(row.state == "down" for row in rows)
    pending = sum(row.state == "pending" for row in rows)
    now = timezone.now()
    context = {
        "tenant": request.tenant,
        "rows": rows,
        "down_count": down,
        "pending_count": pending,
        "incidents": Incident.objects.select_related("endpoint")[:INCIDENTS_SHOWN],
        "windows": MaintenanceWindow.at(now).select_related("endpoint"),
        "now": now,
    }
    return render(request, "status.html", context)


@never_cache
@require_safe
def status_json(request: HttpRequest) -> HttpResponse:
    """Answer the same as the page, for programs; without the URLs, which may be private.

    It is open to all and looked at most when something is down, so that it is made once for many.
    """
    key = f"status:{connection.schema_name}"
    text = cache.get(key) if settings.STATUS_CACHE_SECONDS else None
    if text is None:
        text = _tell_status(request.tenant)
        if settings.STATUS_CACHE_SECONDS:
            cache.set(key, text, settings.STATUS_CACHE_SECONDS)
    return HttpResponse(text, content_type="application/json")


def _tell_status(tenant: Client) -> str:
    now = timezone.now()
    told, within = history.told(RESULTS_SHOWN), watching.within_or_none(plan_here())
    states = {
        endpoint: state_of(endpoint, is_paused=bool(watching.paused_by(endpoint, within)))
        for endpoint in Endpoint.objects.all()
    }
    body = {
        "organization": tenant.name,
        "status": "down" if "down" in states.values() else "up",
        "incidents": [
            {
                "endpoint": incident.endpoint.name,
                "cause": incident.cause,
                "started_at": incident.started_at,
                "resolved_at": incident.resolved_at,
            }
            for incident in Incident.objects.select_related("endpoint")[:INCIDENTS_SHOWN]
        ],
        "maintenance": [
            {"name": window.name, "starts_at": window.starts_at, "ends_at": window.ends_at}
            for window in MaintenanceWindow.at(now)
        ],
    }
    found = ",".join(
        _tell(endpoint, state, told.get(endpoint.pk, history.Told())) for endpoint, state in states.items()
    )
    text = json.dumps(body, cls=DjangoJSONEncoder)
    return f'{text[:-1]}, "endpoints": [{found}]}}'


def _tell(endpoint: Endpoint, state: str, told: history.Told) -> str:
    body = {
        "id": endpoint.pk,
        "name": endpoint.name,
        "state": state,
        "latency_ms": endpoint.last_latency_ms,
        "uptime": history.share(told.good, told.total),
        "checked_at": endpoint.last_checked_at,
    }
    return f'{json.dumps(body, cls=DjangoJSONEncoder)[:-1]}, "recent": {told.results}}}'


def _rows() -> list[Row]:
    recent, within = history.recent(RESULTS_SHOWN), watching.within_or_none(plan_here())
    return [
        Row(endpoint, recent.get(endpoint.pk, []), bool(watching.paused_by(endpoint, within)))
        for endpoint in Endpoint.objects.all()
    ]


@contextmanager
def _refusing_twins() -> Iterator[None]:
    """Refuse a URL that another request took after this one was validated."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as exc:
        raise ValidationError({"url": ["endpoint with this url already exists."]}, code="unique") from exc


def _check_room() -> None:
    """Refuse one endpoint too many. The tenant's row is locked: two requests cannot share the last place."""
    client = Client.objects.filter(schema_name=connection.schema_name)
    if endpoint_limit_or_none(client.get().subscription_status) is None:
        return
    limit = endpoint_limit_or_none(client.select_for_update().get().subscription_status)
    if limit is not None and Endpoint.objects.count() >= limit:
        raise PermissionDenied(
            f"The free plan has {limit} endpoints; Pro has as many as you like.", code="plan_limit_reached"
        )
