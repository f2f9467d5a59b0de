"""The container's healthcheck: `python -m community.healthcheck`. It needs neither curl nor the application."""

import http.client
import os
import sys


def main() -> int:
    """Ask this container's own readiness."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or 8375), timeout=6)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
    except OSError as exc:
        print(f"not ready: {exc}")
        return 1
    print(answer.read().decode())
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
