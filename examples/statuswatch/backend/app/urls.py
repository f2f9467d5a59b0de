"""A tenant's host."""

from django.urls import include, path
from rest_framework.routers import DefaultRouter

from accounts import views as accounts
from app.lazily import lazily
from billing import views as billing
from monitors import views as monitors
from tenants import views as tenants

router = DefaultRouter()
router.include_root_view = False
router.register("endpoints", monitors.EndpointViewSet)
router.register("incidents", monitors.IncidentViewSet)
router.register("maintenance-windows", monitors.MaintenanceWindowViewSet)
router.register("alert-channels", monitors.AlertChannelViewSet)
router.register("alerts", monitors.AlertViewSet)
router.register("deploy-marks", monitors.DeployMarkViewSet)
router.register("api-tokens", accounts.ApiTokenViewSet, basename="api-token")
router.register("dead-letters", monitors.DeadLetterViewSet)

urlpatterns = [
    path("api/schema/", lazily("schema")),
    path("api/docs/", lazily("page")),
    path("", include("app.urls_shared")),
    path("", monitors.status_page),
    path("api/status/", monitors.status_json),
    path("api/host/", tenants.host),
    path("api/auth/", include("app.urls_sessions")),
    path("api/auth/me/", accounts.MeView.as_view()),
    path("api/pay/config/", billing.PaymentConfigView.as_view()),
    path("api/billing/", include("billing.urls")),
    path("api/", include(router.urls)),
]
