"""Gunicorn: threads, a graceful stop, and keep-alive longer than the router's, which must be the one to close."""

import os
from typing import Any

from app import breakage

wsgi_app = "app.wsgi:application"
bind = breakage.bind_address(f"0.0.0.0:{os.environ.get('PORT') or 8000}")
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
threads = int(os.environ.get("WEB_THREADS") or 4)
preload_app = True  # one import instead of one per worker: half the start and less memory
timeout = 120
graceful_timeout = 30
keepalive = 75
worker_tmp_dir = "/dev/shm"
accesslog = os.environ.get("ACCESS_LOG") or None  # "-" is stdout
control_socket_disable = True


def on_starting(server: Any) -> None:
    """Run before the socket is bound."""
    breakage.before_listening()


def when_ready(server: Any) -> None:
    """Run once the socket is bound."""
    breakage.when_listening()
