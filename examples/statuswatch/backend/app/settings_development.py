"""A laptop: debug on, any host, tasks run at once unless Compose says that a worker is there."""

from app.settings_base import *  # noqa: F403
from app.settings_base import environment

DEBUG = True
SECRET_KEY = environment.text("SECRET_KEY", "django-insecure-for-development-only")
DEFAULT_TENANT_DOMAIN_SUFFIX = environment.text("DEFAULT_TENANT_DOMAIN_SUFFIX", "localhost")
ALLOWED_HOSTS = ["*"]
CSRF_TRUSTED_ORIGINS = ["http://*.localhost", "http://localhost"]
CELERY_TASK_ALWAYS_EAGER = environment.flag("CELERY_TASK_ALWAYS_EAGER", default=True)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
CONTENT_SECURITY_POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval'"  # Django's debug page needs it
