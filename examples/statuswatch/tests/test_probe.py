import http.server
import threading
from collections.abc import Iterator

import pytest

from monitors.probe import Outcome, probe


class Answer(http.server.BaseHTTPRequestHandler):
    hosts: list[str] = []

    def do_GET(self) -> None:
        Answer.hosts.append(self.headers["Host"])
        self.send_response(int(self.path[1:].partition("?")[0]))
        self.send_header("Location", "http://169.254.169.254/")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def base_url(settings: object) -> Iterator[str]:
    settings.SSRF_ALLOWED_TARGETS = ["localhost"]
    settings.CHECK_TIMEOUT_SECONDS = 2
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


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


def test_a_closed_port_is_worth_a_retry(settings: object) -> None:
    settings.SSRF_ALLOWED_TARGETS = ["localhost"]
    assert probe("http://localhost:1/").is_worth_a_retry


def test_plain_http_behind_an_https_url_is_a_network_error(base_url: str) -> None:
    assert probe(base_url.replace("http:", "https:") + "/200") == Outcome("network-error")


def test_a_private_target_is_blocked() -> None:
    assert probe("http://127.0.0.1/") == Outcome("blocked")


def test_an_unknown_name_is_worth_a_retry() -> None:
    assert probe("http://nowhere.invalid/").is_worth_a_retry
