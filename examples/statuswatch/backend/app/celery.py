"""The Celery application of worker and beat; both leave a heartbeat that `healthcheck.py` reads."""

import contextlib
import os
import socket

from celery import Celery, signals
from redis.exceptions import RedisError

from app import breakage, heartbeat
from health import workers

REPORT_SECONDS = 10.0
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.settings")
app = Celery("statuswatch")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.worker_ready.connect
def _worker_is_ready(**_: object) -> None:
    _report()
    heartbeat.beat("worker")
    breakage.when_worker_ready()


@signals.heartbeat_sent.connect
def _worker_lives(**_: object) -> None:
    if (heartbeat.age_seconds_or_none("reported") or REPORT_SECONDS) >= REPORT_SECONDS:
        _report()
    heartbeat.beat("worker")


@signals.beat_init.connect
def _scheduler_starts(**_: object) -> None:
    heartbeat.beat("beat")
    breakage.when_scheduler_starts()


@signals.before_task_publish.connect
def _scheduler_lives(**_: object) -> None:
    heartbeat.beat("beat")


@signals.worker_init.connect
def _worker_begins(**_: object) -> None:
    heartbeat.forget("worker")
    heartbeat.forget("reported")


@signals.worker_shutdown.connect
def _worker_is_gone(**_: object) -> None:
    heartbeat.forget("worker")
    with contextlib.suppress(RedisError):
        workers.forget(socket.gethostname())


def _report() -> None:
    """Tell `/health/ready/`; that Redis is away is the broker's business, not ours."""
    with contextlib.suppress(RedisError):
        workers.note(socket.gethostname())
        heartbeat.beat("reported")
