"""Errors go to Sentry, without secrets and without people. Loaded only where a DSN is set."""

from typing import Any

import sentry_sdk
from django.conf import settings
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration

from shared.redaction import redact_all


def start() -> None:
    """Report from now on."""
    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        environment=settings.SENTRY_ENVIRONMENT,
        release=settings.SENTRY_RELEASE,
        traces_sample_rate=settings.SENTRY_TRACES_SAMPLE_RATE,
        integrations=[DjangoIntegration(), CeleryIntegration()],
        auto_enabling_integrations=False,
        send_default_pii=False,
        include_local_variables=False,  # a frame's variables are where secrets lie
        max_request_body_size="never",
        before_send=_without_secrets,
        before_send_transaction=_without_secrets,
    )


def _without_secrets(event: Any, hint: Any) -> Any:
    return redact_all(event)
