"""The public host."""

from django.urls import include, path

from tenants import views

urlpatterns = [path("", include("app.urls_shared")), path("", views.welcome)]
