"""What both environments share. It holds no secret and no default for one; collectstatic runs on this file alone."""

from datetime import timedelta
from pathlib import Path

from app import breakage
from shared import environment

BASE_DIR = Path(__file__).resolve().parent.parent
APP_VERSION = environment.text("APP_VERSION", "dev")

# --- applications: the public schema knows the tenants, each tenant's schema holds its people and endpoints
SHARED_APPS = [
    "django_tenants",
    "tenants",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "billing",
    "app",
]
TENANT_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "rest_framework_simplejwt.token_blacklist",
    "accounts",
    "monitors",
]
INSTALLED_APPS = SHARED_APPS + [app for app in TENANT_APPS if app not in SHARED_APPS]
TENANT_MODEL = "tenants.Client"
TENANT_DOMAIN_MODEL = "tenants.Domain"
DEFAULT_TENANT_DOMAIN_SUFFIX = environment.text("DEFAULT_TENANT_DOMAIN_SUFFIX")

ROOT_URLCONF = "app.urls"
PUBLIC_SCHEMA_URLCONF = "app.urls_public"
WSGI_APPLICATION = "app.wsgi.application"
MIDDLEWARE = [
    "shared.logs.RequestLog",
    "app.middleware.ReleaseHeaders",
    *breakage.middleware(),
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "tenants.middleware.TenantMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["app.context.release"]},
    }
]

# --- database: CONN_MAX_AGE counts only inside DATABASES; at the top level Django ignores it
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DATABASES = {
    "default": {
        "ENGINE": "django_tenants.postgresql_backend",
        **environment.database(),
        "CONN_MAX_AGE": environment.number("DB_CONN_MAX_AGE", 0),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5},
    }
}
TENANT_LIMIT_SET_CALLS = True  # the schema is set when it changes, not before every query
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- who may see figures and single health checks from outside; from inside everybody may
TRUSTED_PROXY_COUNT = environment.number("TRUSTED_PROXY_COUNT", 1)
INTERNAL_NETWORKS = environment.words("INTERNAL_NETWORKS")

# --- people: users, sessions and tokens lie in the tenant's own schema
DEMO_TENANT = environment.text("DEMO_TENANT")  # whose user `demo` anybody may be; empty: nobody's
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
}
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "accounts.passwords.FourClasses"},
]
REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.sessions.SessionAuthentication",
        "accounts.sessions.ApiTokenAuthentication",
    ],
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.AnonRateThrottle",
        "accounts.throttles.TenantUserThrottle",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "shared.answers.Pages",
    "PAGE_SIZE": 50,
    "DEFAULT_THROTTLE_RATES": dict.fromkeys(("anon", "user", "login", "registration", "refresh", "billing")),
    "NUM_PROXIES": TRUSTED_PROXY_COUNT,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "StatusWatch",
    "DESCRIPTION": "Endpoints of an organization, their checks, incidents and alerts.",
    "VERSION": APP_VERSION,
    "SCHEMA_PATH_PREFIX": "/api/",
    "ENUM_NAME_OVERRIDES": {"PlanEnum": "tenants.plans.Plan"},  # several fields hold one
}

# --- redis: broker on 0 and results on 1, as the document has it; the cache (login throttle) on 2
REDIS_URL = environment.text("REDIS_URL", "redis://redis:6379/0")
REDIS_SERVER = REDIS_URL.rpartition("/")[0] if REDIS_URL.count("/") > 2 else REDIS_URL
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": environment.text("CACHE_URL", f"{REDIS_SERVER}/2"),
        "OPTIONS": {"socket_timeout": 3, "socket_connect_timeout": 3},
    }
}
CHECK_INTERVAL_SECONDS = environment.number("CHECK_INTERVAL_SECONDS", 60)
CELERY_BROKER_URL = environment.text("CELERY_BROKER_URL", f"{REDIS_SERVER}/0")
CELERY_RESULT_BACKEND = environment.text("CELERY_RESULT_BACKEND", f"{REDIS_SERVER}/1")
CELERY_RESULT_EXPIRES = 3600
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 300, "socket_connect_timeout": 3}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.2}
CELERY_TASK_ACKS_LATE = True  # a task in hand of a killed worker is done by the next one
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False  # our formatters, which take secrets out, stay
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    "schedule-endpoint-checks": {
        "task": "monitors.schedule_endpoint_checks",
        "schedule": CHECK_INTERVAL_SECONDS,
        "options": {"expires": CHECK_INTERVAL_SECONDS},  # runs missed while no worker was there are not caught up
    }
}

# --- checking
PENDING_REQUEUE_GRACE_SECONDS = environment.number("PENDING_REQUEUE_GRACE_SECONDS", 90)
INTERVAL_UNIT_SECONDS = environment.number("INTERVAL_UNIT_SECONDS", 60)  # what "minute" means; shorter in tests
CHECK_TIMEOUT_SECONDS = environment.number("CHECK_TIMEOUT_SECONDS", 10)
RESULT_RETENTION_DAYS = environment.number("RESULT_RETENTION_DAYS", 30)
STATUS_CACHE_SECONDS = 0  # how old the public status may be
SSRF_ALLOWED_TARGETS = environment.words("SSRF_ALLOWED_TARGETS")

# --- mail
EMAIL_HOST = environment.text("EMAIL_HOST")
EMAIL_PORT = environment.number("EMAIL_PORT", 587)
EMAIL_USE_TLS = environment.flag("EMAIL_USE_TLS", default=True)
EMAIL_HOST_USER = environment.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = environment.text("EMAIL_HOST_PASSWORD")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", "noreply@localhost")
SERVER_EMAIL = environment.text("SERVER_EMAIL", DEFAULT_FROM_EMAIL)

# --- payment
STRIPE_PUBLIC_KEY = environment.text("STRIPE_PUBLIC_KEY")
STRIPE_SECRET_KEY = environment.text("STRIPE_SECRET_KEY")
STRIPE_WEBHOOK_SECRET = environment.text("STRIPE_WEBHOOK_SECRET")
STRIPE_PRO_PRICE_ID = environment.text("STRIPE_PRO_PRICE_ID")
STRIPE_API_BASE = environment.text("STRIPE_API_BASE").rstrip("/")  # a double of Stripe; empty: Stripe

# --- errors
SENTRY_DSN = environment.text("SENTRY_DSN")
SENTRY_ENVIRONMENT = environment.text("SENTRY_ENVIRONMENT")
SENTRY_TRACES_SAMPLE_RATE = environment.fraction("SENTRY_TRACES_SAMPLE_RATE", 0.1)
SENTRY_RELEASE = environment.text("SENTRY_RELEASE", APP_VERSION)

# --- http
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS")
CORS_ALLOW_ALL_ORIGINS = False
CORS_URLS_REGEX = r"^/api/(?!internal/)"
# what is asked inside the server, over plain http
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^health/", r"^metrics/?$", r"^version$", r"^api/internal/", r"^debug/"]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ENABLE_TEST_ENDPOINTS = environment.flag("ENABLE_TEST_ENDPOINTS")
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

# --- logs: to stdout, which the Compose file rotates (10 MB, 5 files), or to a file that rotates itself the same way
LOG_DIR = environment.text("LOG_DIR", str(BASE_DIR / "logs"))
LOG_FILE_BYTES, LOG_FILE_BACKUPS = 10_000_000, 5


def logging_to(level: str, *, formatter: str, console: bool, file: bool) -> dict[str, object]:
    """Return Django's LOGGING for the wanted places."""
    handlers = {
        "console": {"class": "logging.StreamHandler", "formatter": formatter},
        "file": {
            "class": "shared.logfile.SharedRotatingFileHandler",
            "formatter": formatter,
            "delay": True,
            "filename": f"{LOG_DIR}/statuswatch.log",
            "maxBytes": LOG_FILE_BYTES,
            "backupCount": LOG_FILE_BACKUPS,
        },
    }
    chosen = [name for name, is_wanted in (("console", console), ("file", file)) if is_wanted]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": "shared.logs.LineFormatter",
                "format": "{asctime} {levelname} {name} {message}",
                "style": "{",
            },
            "json": {"()": "shared.logs.JsonFormatter"},
        },
        "handlers": {name: handlers[name] for name in chosen},
        "root": {"handlers": chosen, "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.db.backends": {"level": "INFO"},  # at DEBUG it writes every query with its values
            "stripe": {"level": "WARNING"},  # below it writes what it sends and gets, people's addresses with it
            "urllib3": {"level": "WARNING"},
        },
    }
