"""The container healthcheck: `python healthcheck.py web|worker|beat`. It needs neither curl nor Django."""

import http.client
import os
import sys

from app import heartbeat

WORKER_LIMIT_SECONDS = 20.0  # a worker reports every 2 s


def main(role: str) -> str | None:
    """Return what is wrong, or None."""
    if role == "web":
        return _check_web()
    limit = WORKER_LIMIT_SECONDS if role == "worker" else 30 + 3 * float(os.environ.get("CHECK_INTERVAL_SECONDS") or 60)
    age = heartbeat.age_seconds_or_none(role)
    if age is None:
        return f"{role} has not worked yet"
    return f"{role} last worked {age:.0f} s ago" if age > limit else None


def _check_web() -> str | None:
    host = os.environ.get("HEALTHCHECK_HOST") or os.environ.get("DEFAULT_TENANT_DOMAIN_SUFFIX") or "localhost"
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or 8000), timeout=3)
    try:
        connection.request("GET", "/health/", headers={"Host": host, "X-Forwarded-Proto": "https"})
        status = connection.getresponse().status
    except OSError as exc:
        return f"GET /health/: {exc}"
    return None if status == 200 else f"GET /health/ answered {status}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
