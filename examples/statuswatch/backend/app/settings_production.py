"""Production: everything hard, and no start while anything is missing; one message names every problem."""

import os
import re
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from app.settings_base import *  # noqa: F403
from app.settings_base import (
    ALLOWED_HOSTS,
    DATABASES,
    DEFAULT_TENANT_DOMAIN_SUFFIX,
    EMAIL_HOST,
    EMAIL_HOST_PASSWORD,
    EMAIL_HOST_USER,
    LOG_DIR,
    REST_FRAMEWORK,
    SENTRY_DSN,
    STRIPE_API_BASE,
    STRIPE_PRO_PRICE_ID,
    STRIPE_PUBLIC_KEY,
    STRIPE_SECRET_KEY,
    STRIPE_WEBHOOK_SECRET,
    breakage,
    environment,
    logging_to,
)

DEBUG = False
SECRET_KEY = environment.text("SECRET_KEY")
ENFORCE_HTTPS = environment.flag("ENFORCE_HTTPS", default=True)
SECURE_SSL_REDIRECT = ENFORCE_HTTPS
SECURE_HSTS_SECONDS = environment.number("SECURE_HSTS_SECONDS", 3600) if ENFORCE_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = environment.flag("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=True)
SECURE_HSTS_PRELOAD = environment.flag("SECURE_HSTS_PRELOAD")
# To be in browsers' own lists is a decision (SECURE_HSTS_PRELOAD), no omission.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SESSION_COOKIE_SECURE = ENFORCE_HTTPS
CSRF_COOKIE_SECURE = ENFORCE_HTTPS
SECURE_PROXY_SSL_HEADER = tuple(environment.words("SECURE_PROXY_SSL_HEADER", "HTTP_X_FORWARDED_PROTO,https"))
USE_X_FORWARDED_HOST = environment.flag("USE_X_FORWARDED_HOST", default=True)
OWN_ORIGIN = f"https://{DEFAULT_TENANT_DOMAIN_SUFFIX}"
CSRF_TRUSTED_ORIGINS = environment.words(
    "CSRF_TRUSTED_ORIGINS", f"{OWN_ORIGIN},https://*.{DEFAULT_TENANT_DOMAIN_SUFFIX}"
)
CORS_ALLOWED_ORIGINS = environment.words("CORS_ALLOWED_ORIGINS", OWN_ORIGIN)
# one label below the suffix: each tenant's own pages
CORS_ALLOWED_ORIGIN_REGEXES = [rf"^https://[a-z0-9-]+\.{re.escape(DEFAULT_TENANT_DOMAIN_SUFFIX)}$"]
FRONTEND_URL = environment.text("FRONTEND_URL", OWN_ORIGIN)
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
CELERY_TASK_ALWAYS_EAGER = False
STATUS_CACHE_SECONDS = 5
DATABASES["default"]["CONN_MAX_AGE"] = environment.number("DB_CONN_MAX_AGE", 600)
if environment.flag("API_RATE_LIMITING_ENABLED", default=True):
    REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] = {
        "anon": "100/hour",
        "user": "1000/hour",
        "login": "10/hour",
        "registration": "5/hour",
        "refresh": "120/hour",
        "billing": "100/hour",
    }
LOG_LEVEL = environment.text("LOG_LEVEL", "INFO")
LOG_TO_FILE = environment.flag("LOG_TO_FILE")
LOGGING = logging_to(LOG_LEVEL, formatter="json", console=not LOG_TO_FILE, file=LOG_TO_FILE)

# A rehearsal or a demo runs on production's settings and takes nobody's money; it says so.
STRIPE_TEST_MODE = environment.flag("STRIPE_TEST_MODE")
SENTRY_DISABLED = environment.flag("SENTRY_DISABLED")
SENTRY_ENVIRONMENT = environment.text("SENTRY_ENVIRONMENT", "production")


def find_problems() -> list[str]:
    """Return one line for each thing that keeps this configuration from production."""
    wrong = {
        **_core_problems(),
        **_host_problems(),
        **_stripe_problems(),
        **_mail_and_monitoring_problems(),
        **breakage.missing_variables(),
    }
    return [*environment.problems, *(problem for problem, is_wrong in wrong.items() if is_wrong)]


def _core_problems() -> dict[str, bool]:
    password = str(DATABASES["default"]["PASSWORD"])
    return {
        "SECRET_KEY (or SECRET_KEY_FILE) is missing": not SECRET_KEY,
        "SECRET_KEY must have at least 50 characters": 0 < len(SECRET_KEY) < 50,
        "SECRET_KEY must not be a development key ('insecure')": "insecure" in SECRET_KEY,
        "DEBUG must not be on": environment.flag("DEBUG"),
        "POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE, or DATABASE_URL) is missing": not password,
        "POSTGRES_PASSWORD is the development password": password in {"devpass", "postgres"},
    }


def _host_problems() -> dict[str, bool]:
    suffix = DEFAULT_TENANT_DOMAIN_SUFFIX
    origins = [*CORS_ALLOWED_ORIGINS, *CSRF_TRUSTED_ORIGINS]
    return {
        "DEFAULT_TENANT_DOMAIN_SUFFIX is missing": not suffix,
        "DEFAULT_TENANT_DOMAIN_SUFFIX must not be localhost": suffix == "localhost",
        "ALLOWED_HOSTS is missing": not ALLOWED_HOSTS,
        "ALLOWED_HOSTS must not hold '*'; a suffix is written with a leading dot": "*" in "".join(ALLOWED_HOSTS),
        "CORS_ALLOWED_ORIGINS must not hold '*'; tenants below the suffix are allowed already": "*"
        in "".join(CORS_ALLOWED_ORIGINS),
        "CORS_ALLOWED_ORIGINS and CSRF_TRUSTED_ORIGINS take origins like https://name": any(
            urlsplit(origin).scheme not in {"http", "https"} for origin in origins
        ),
        "FRONTEND_URL must begin with https://": ENFORCE_HTTPS and not FRONTEND_URL.startswith("https://"),
        "SECURE_HSTS_PRELOAD needs SECURE_HSTS_SECONDS=31536000 and SECURE_HSTS_INCLUDE_SUBDOMAINS": SECURE_HSTS_PRELOAD
        and not (SECURE_HSTS_SECONDS >= 31536000 and SECURE_HSTS_INCLUDE_SUBDOMAINS),
        "SECURE_PROXY_SSL_HEADER must name a header and its value": len(SECURE_PROXY_SSL_HEADER) != 2,
    }


def _stripe_problems() -> dict[str, bool]:
    mode = "test" if STRIPE_TEST_MODE else "live"
    keys = {
        "STRIPE_PUBLIC_KEY": (STRIPE_PUBLIC_KEY, f"pk_{mode}_"),
        "STRIPE_SECRET_KEY": (STRIPE_SECRET_KEY, f"sk_{mode}_"),
        "STRIPE_WEBHOOK_SECRET": (STRIPE_WEBHOOK_SECRET, "whsec_"),
        "STRIPE_PRO_PRICE_ID": (STRIPE_PRO_PRICE_ID, "price_"),
    }
    missing = {f"{name} is missing": not value for name, (value, _) in keys.items()}
    malformed = {
        f"{name} must begin with {prefix}": bool(value) and not value.startswith(prefix)
        for name, (value, prefix) in keys.items()
    }
    elsewhere = "STRIPE_API_BASE needs STRIPE_TEST_MODE=true: live keys go to Stripe and to nobody else"
    return {**missing, **malformed, elsewhere: bool(STRIPE_API_BASE) and not STRIPE_TEST_MODE}


def _mail_and_monitoring_problems() -> dict[str, bool]:
    dsn = urlsplit(SENTRY_DSN)
    return {
        "EMAIL_HOST is missing": not EMAIL_HOST,
        "EMAIL_HOST_PASSWORD is missing": bool(EMAIL_HOST_USER) and not EMAIL_HOST_PASSWORD,
        "DEFAULT_FROM_EMAIL is missing": not environment.text("DEFAULT_FROM_EMAIL"),
        f"LOG_TO_FILE needs a folder {LOG_DIR} (LOG_DIR) that uid {os.getuid()} may write": LOG_TO_FILE
        and not os.access(LOG_DIR, os.W_OK),
        "SENTRY_DSN is missing; SENTRY_DISABLED=true goes without": not SENTRY_DSN and not SENTRY_DISABLED,
        "SENTRY_DSN must read https://key@host/project": bool(SENTRY_DSN)
        and not (dsn.scheme in {"http", "https"} and dsn.username and dsn.path.strip("/")),
    }


if _problems := find_problems():
    raise ImproperlyConfigured("StatusWatch cannot start in production:\n" + "\n".join(f"  - {p}" for p in _problems))
if breakage.MODE == "refuses_host":
    ALLOWED_HOSTS = ["refused.invalid"]
