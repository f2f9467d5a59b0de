"""The public host: where organizations sign up and people log in who do not know their tenant's host."""

from django.urls import include, path

from accounts import views as accounts
from app.lazily import lazily
from billing import views as billing
from tenants import views

urlpatterns = [
    path("api/schema/", lazily("schema")),
    path("api/docs/", lazily("page")),
    path("", include("app.urls_shared")),
    path("", views.welcome),
    path("api/host/", views.host),
    path("verify-email/", accounts.verify_email),
    path("api/auth/", include("app.urls_sessions")),
    path("api/auth/register/", accounts.RegisterView.as_view()),
    path("api/auth/resend-verification/", accounts.ResendView.as_view()),
    path("api/pay/config/", billing.PaymentConfigView.as_view()),
    path("api/auth/demo/", accounts.DemoLoginView.as_view()),
]
