"""An error really goes to Sentry: to a server on loopback that keeps what it is sent."""

import gzip
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from test_settings import BACKEND, GOOD

FAIL = """
import django, logging, sentry_sdk
django.setup()
try:
    raise RuntimeError("lost postgresql://user:PLANTED@db/dj01 and sk_live_PLANTED")
except RuntimeError:
    password = "PLANTED"
    logging.getLogger("test").exception("a check failed")
sentry_sdk.flush(5)
"""


@pytest.fixture
def sink() -> Iterator[tuple[str, list[str]]]:
    received: list[str] = []

    class Sink(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_packed = self.headers["Content-Encoding"] == "gzip"
            received.append((gzip.decompress(body) if is_packed else body).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        yield f"http://key@127.0.0.1:{server.server_port}/1", received
        server.shutdown()


@pytest.mark.requirement("R68", "R175")
def test_an_error_is_reported_with_its_release_and_without_secrets(sink: tuple[str, list[str]]) -> None:
    dsn, received = sink
    environment = {**GOOD, "SENTRY_DSN": dsn, "SENTRY_RELEASE": "abc123", "DJANGO_SETTINGS_MODULE": "app.settings"}
    command = [sys.executable, "-c", FAIL]
    done = subprocess.run(command, cwd=BACKEND, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (event,) = received
    for part in ('"release":"abc123"', '"environment":"production"', "RuntimeError", "[redacted]"):
        assert part in event
    assert "PLANTED" not in event
