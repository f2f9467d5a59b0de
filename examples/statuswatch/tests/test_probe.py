import http.server
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from certificates import make_certificate

from monitors import outbound
from monitors.conditions import Conditions
from monitors.probe import Outcome, probe


class Answer(http.server.BaseHTTPRequestHandler):
    hosts: list[str] = []

    def do_GET(self) -> None:
        Answer.hosts.append(self.headers["Host"])
        self.send_response(int(self.path[1:].partition("?")[0]))
        self.send_header("Location", "http://169.254.169.254/")
        self.end_headers()
        self.wfile.write(b"all good here")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(settings: object) -> Iterator[http.server.HTTPServer]:
    settings.SSRF_ALLOWED_TARGETS = ["localhost"]
    settings.CHECK_TIMEOUT_SECONDS = 2
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def base_url(server: http.server.HTTPServer) -> str:
    return f"http://localhost:{server.server_port}"


@pytest.fixture
def tls_url(server: http.server.HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same behind a certificate for six days, which the probe trusts."""
    certificate = make_certificate(tmp_path, "localhost", 6)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setattr(outbound, "_TLS", ssl.create_default_context(cafile=str(certificate)))
    return f"https://localhost:{server.server_port}"


def test_a_good_answer_is_its_code_and_latency(base_url: str) -> None:
    outcome = probe(f"{base_url}/204?q=1")
    assert outcome.status == "204"
    assert outcome.latency_ms is not None
    assert Answer.hosts[-1].startswith("localhost:")


def test_a_redirect_is_an_answer_and_is_not_followed(base_url: str) -> None:
    assert probe(f"{base_url}/302").status == "302"


def test_an_http_error_is_not_worth_a_retry(base_url: str) -> None:
    outcome = probe(f"{base_url}/503")
    assert outcome.status == "error:503"
    assert not outcome.is_worth_a_retry


def test_an_error_that_was_expected_is_up(base_url: str) -> None:
    assert probe(f"{base_url}/503", Conditions(expected_status="503")).is_up


@pytest.mark.parametrize(("wanted", "status"), [("all good", "200"), ("all bad", "unmet:body")])
def test_the_body_is_read_when_it_matters(base_url: str, wanted: str, status: str) -> None:
    assert probe(f"{base_url}/200", Conditions(body_contains=wanted)).status == status


def test_the_certificate_is_read(tls_url: str) -> None:
    outcome = probe(f"{tls_url}/200", Conditions(min_certificate_days=5))
    assert outcome.status == "200"
    assert outcome.certificate_expires_at is not None
    assert 5 <= (outcome.certificate_expires_at - datetime.now(UTC)).days < 6
    assert probe(f"{tls_url}/200", Conditions(min_certificate_days=6)).status == "unmet:certificate"


def test_a_certificate_that_nobody_vouches_for_is_a_network_error(
    tls_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "_TLS", ssl.create_default_context())
    assert probe(f"{tls_url}/200").status == "network-error"


def test_a_server_that_drips_does_not_hold_a_worker(settings: object) -> None:
    settings.SSRF_ALLOWED_TARGETS = ["localhost"]
    settings.CHECK_TIMEOUT_SECONDS = 1
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=[listener], daemon=True).start()
        started = time.monotonic()
        outcome = probe(f"http://localhost:{listener.getsockname()[1]}/")
    assert outcome.status == "network-error"
    assert time.monotonic() - started < 3


def drip(listener: socket.socket) -> None:
    """Send one byte of a header now and then, each in time for the socket's own limit."""
    peer, _ = listener.accept()
    with peer:
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100:
            try:
                peer.sendall(bytes([byte]))
            except OSError:
                return
            time.sleep(0.3)


def test_a_closed_port_is_worth_a_retry(settings: object) -> None:
    settings.SSRF_ALLOWED_TARGETS = ["localhost"]
    assert probe("http://localhost:1/").is_worth_a_retry


def test_plain_http_behind_an_https_url_is_a_network_error(base_url: str) -> None:
    assert probe(base_url.replace("http:", "https:") + "/200") == Outcome("network-error")


def test_a_private_target_is_blocked() -> None:
    assert probe("http://127.0.0.1/") == Outcome("blocked")


def test_an_unknown_name_is_worth_a_retry() -> None:
    assert probe("http://nowhere.invalid/").is_worth_a_retry


def test_a_check_leaves_no_thread_behind(base_url: str) -> None:
    before = threading.active_count()
    for _ in range(5):
        probe(f"{base_url}/200")
    assert threading.active_count() <= before + 5  # the server's own
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
