"""Which workers live. Each says so every few seconds; asking Celery itself costs a second when there is none."""

import time
from functools import cache

import redis
from django.conf import settings

KEY = "statuswatch:workers"
LIVES_SECONDS = 30.0
TIMEOUT_SECONDS = 2


def note(hostname: str) -> None:
    """Say that a worker of this release lives."""
    _store().zadd(KEY, {f"{hostname} {settings.APP_VERSION}": time.time()})


def forget(hostname: str) -> None:
    """Say that a worker ended."""
    _store().zrem(KEY, f"{hostname} {settings.APP_VERSION}")


def living() -> dict[str, int]:
    """Return how many workers of each release live, and forget those that died without a word."""
    now = time.time()
    _store().zremrangebyscore(KEY, "-inf", now - LIVES_SECONDS)
    found: dict[str, int] = {}
    for member in _store().zrange(KEY, 0, -1):
        release = member.decode().rpartition(" ")[2]
        found[release] = found.get(release, 0) + 1
    return found


@cache
def _store() -> redis.Redis:
    return redis.Redis.from_url(
        settings.CACHES["default"]["LOCATION"],
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
    )
