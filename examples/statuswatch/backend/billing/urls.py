"""Paths of a tenant's host."""

from django.urls import path

from billing import views

urlpatterns = [
    path("", views.BillingView.as_view()),
    path("create-checkout-session/", views.CheckoutView.as_view()),
    path("create-portal-session/", views.PortalView.as_view()),
    path("cancel/", views.CancelView.as_view()),
    path("resume/", views.ResumeView.as_view()),
    path("sync/", views.SynchronizeView.as_view()),
]
