"""The Celery application of worker and beat; both leave a heartbeat that `healthcheck.py` reads."""

import os

from celery import Celery, signals

from app import breakage, heartbeat

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.settings")
app = Celery("statuswatch")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.worker_ready.connect
def _worker_is_ready(**_: object) -> None:
    heartbeat.beat("worker")
    breakage.when_worker_ready()


@signals.heartbeat_sent.connect
def _worker_lives(**_: object) -> None:
    heartbeat.beat("worker")


@signals.beat_init.connect
def _scheduler_starts(**_: object) -> None:
    heartbeat.beat("beat")
    breakage.when_scheduler_starts()


@signals.before_task_publish.connect
def _scheduler_lives(**_: object) -> None:
    heartbeat.beat("beat")


@signals.worker_init.connect
@signals.worker_shutdown.connect
def _worker_is_gone(**_: object) -> None:
    heartbeat.forget("worker")
