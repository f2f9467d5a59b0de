"""A laptop: debug on, any host, tasks run at once unless Compose says that a worker is there."""

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from app.settings_base import *  # noqa: F403
from app.settings_base import LOG_DIR, STRIPE_PUBLIC_KEY, STRIPE_SECRET_KEY, environment, logging_to

DEBUG = True
SECRET_KEY = environment.text("SECRET_KEY", "django-insecure-for-development-only")
DEFAULT_TENANT_DOMAIN_SUFFIX = environment.text("DEFAULT_TENANT_DOMAIN_SUFFIX", "localhost")
ALLOWED_HOSTS = ["*"]
ENFORCE_HTTPS = SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
SECURE_HSTS_SECONDS = 0
CSRF_TRUSTED_ORIGINS = ["http://localhost", "http://*.localhost", "http://localhost:5173", "http://*.localhost:5173"]
CORS_ALLOWED_ORIGINS: list[str] = []
CORS_ALLOWED_ORIGIN_REGEXES = [r"^http://([a-z0-9-]+\.)*localhost(:[0-9]+)?$"]
FRONTEND_URL = environment.text("FRONTEND_URL", "http://localhost:5173")
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
CELERY_WORKER_REDIRECT_STDOUTS = False  # a mail on the console is no log line: its link would lose its token
CELERY_TASK_ALWAYS_EAGER = environment.flag("CELERY_TASK_ALWAYS_EAGER", default=True)
CELERY_WORKER_REDIRECT_STDOUTS = False  # as a log line, the link of a mail to the console would lose its token
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
CONTENT_SECURITY_POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval'"  # Django's debug page needs it
LOG_LEVEL = environment.text("LOG_LEVEL", "DEBUG")
LOG_TO_FILE = environment.flag("LOG_TO_FILE", default=True)
if LOG_TO_FILE:
    Path(LOG_DIR).mkdir(parents=True, exist_ok=True)
SENTRY_DSN = ""  # errors of a laptop concern nobody else
LOGGING = logging_to(LOG_LEVEL, formatter="line", console=True, file=LOG_TO_FILE)

if STRIPE_SECRET_KEY.startswith("sk_live_") or STRIPE_PUBLIC_KEY.startswith("pk_live_"):
    raise ImproperlyConfigured("StatusWatch in development takes Stripe's test keys only: a live key charges people")
