"""Sessions, on a tenant's host and on the public one."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("login/", views.LoginView.as_view()),
    path("refresh/", views.RefreshView.as_view()),
    path("token/refresh/", views.RefreshView.as_view()),
    path("logout/", views.LogoutView.as_view()),
]
