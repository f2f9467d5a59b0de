"""Production: everything hard, and no start while anything is missing; one message names every problem."""

from django.core.exceptions import ImproperlyConfigured

from app.settings_base import *  # noqa: F403
from app.settings_base import (
    ALLOWED_HOSTS,
    DATABASES,
    DEFAULT_TENANT_DOMAIN_SUFFIX,
    REST_FRAMEWORK,
    breakage,
    environment,
)

DEBUG = False
SECRET_KEY = environment.text("SECRET_KEY")
ENFORCE_HTTPS = environment.flag("ENFORCE_HTTPS", default=True)
SECURE_SSL_REDIRECT = ENFORCE_HTTPS
SECURE_HSTS_SECONDS = environment.number("SECURE_HSTS_SECONDS", 3600) if ENFORCE_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = environment.flag("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=True)
SESSION_COOKIE_SECURE = ENFORCE_HTTPS
CSRF_COOKIE_SECURE = ENFORCE_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
USE_X_FORWARDED_HOST = environment.flag("USE_X_FORWARDED_HOST", default=True)
CSRF_TRUSTED_ORIGINS = environment.words(
    "CSRF_TRUSTED_ORIGINS",
    f"https://{DEFAULT_TENANT_DOMAIN_SUFFIX},https://*.{DEFAULT_TENANT_DOMAIN_SUFFIX}",
)
CELERY_TASK_ALWAYS_EAGER = False
DATABASES["default"]["CONN_MAX_AGE"] = environment.number("DB_CONN_MAX_AGE", 600)
if environment.flag("API_RATE_LIMITING_ENABLED", default=True):
    REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] = {"login": "10/hour"}


def find_problems() -> list[str]:
    """Return one line for each thing that keeps this configuration from production."""
    database_password = str(DATABASES["default"]["PASSWORD"])
    wrong = {
        "SECRET_KEY (or SECRET_KEY_FILE) is missing": not SECRET_KEY,
        "SECRET_KEY must have at least 50 characters": 0 < len(SECRET_KEY) < 50,
        "SECRET_KEY must not be a development key ('insecure')": "insecure" in SECRET_KEY,
        "DEBUG must not be on": environment.flag("DEBUG"),
        "POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE) is missing": not database_password,
        "POSTGRES_PASSWORD is the development password": database_password in {"devpass", "postgres"},
        "DEFAULT_TENANT_DOMAIN_SUFFIX is missing": not DEFAULT_TENANT_DOMAIN_SUFFIX,
        "DEFAULT_TENANT_DOMAIN_SUFFIX must not be localhost": DEFAULT_TENANT_DOMAIN_SUFFIX == "localhost",
        "ALLOWED_HOSTS is missing": not ALLOWED_HOSTS,
        "ALLOWED_HOSTS must not hold '*'; a suffix is written with a leading dot": "*" in "".join(ALLOWED_HOSTS),
        **breakage.missing_variables(),
    }
    return [*environment.problems, *(problem for problem, is_wrong in wrong.items() if is_wrong)]


if _problems := find_problems():
    raise ImproperlyConfigured("StatusWatch cannot start in production:\n" + "\n".join(f"  - {p}" for p in _problems))
if breakage.MODE == "refuses_host":
    ALLOWED_HOSTS = ["refused.invalid"]
