"""The double of Stripe as a process beside the tests, asked by the application over HTTP like Stripe itself."""

import http.client
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode, urlsplit

PROGRAM = Path(__file__).parent.parent / "stripe-double" / "double.py"
PRICE, KEY, SECRET = "price_pro", "sk_test_12345", "whsec_of_the_tests"
GOOD_CARD, FAILING_CARD, DECLINED_CARD = "4242424242424242", "4000000000000341", "4000000000000002"


@dataclass(frozen=True)
class Delivery:
    """One event as it came over the wire."""

    body: bytes
    signature: str

    @property
    def event(self) -> dict[str, object]:
        """What it says."""
        return json.loads(self.body)


class Double:
    """What a test does with it: what people do on its pages, what time does, and what it delivered."""

    def __init__(self, port: int, inbox: "queue.Queue[Delivery]") -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.inbox = inbox

    def pay(self, url: str, card: str = GOOD_CARD) -> str:
        """Pay on a payment page; return where it leads, or its own address when the card was declined."""
        answer = self._post(urlsplit(url).path, {"card": card})
        return answer.headers.get("Location", url)

    def act(self, subscription_id: str, action: str) -> None:
        """Do something to a subscription that did not come from the application."""
        assert self._post(f"/_config/subscriptions/{subscription_id}/{action}", {}).status == 200

    def set_card(self, customer_id: str, card: str) -> None:
        """Change the card that the next payments are taken from."""
        assert self._post(f"/_config/customers/{customer_id}/card", {"card": card}).status == 200

    def events(self, *wanted: str) -> list[Delivery]:
        """Return what was delivered and not returned before, once nothing is on its way; the wanted types are in it."""
        deadline = time.monotonic() + 10
        while self.get("/_config/deliveries")["pending"]:
            assert time.monotonic() < deadline, "an event does not arrive"
            time.sleep(0.01)
        found = [self.inbox.get_nowait() for _ in range(self.inbox.qsize())]
        assert set(wanted) <= {str(item.event["type"]) for item in found}
        return found

    def get(self, path: str) -> dict[str, object]:
        """Ask its API."""
        return json.loads(self._ask("GET", path, None).body)

    def delete(self, path: str) -> None:
        """Delete by its API."""
        assert self._ask("DELETE", path, None).status == 200

    def _post(self, path: str, fields: dict[str, str]) -> http.client.HTTPResponse:
        return self._ask("POST", path, urlencode(fields))

    def _ask(self, method: str, path: str, body: str | None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=10)
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        answer.body = answer.read()
        connection.close()
        return answer


@contextmanager
def running() -> Iterator[Double]:
    """Start the double and a post box for its events; end both."""
    inbox: queue.Queue[Delivery] = queue.Queue()
    box = ThreadingHTTPServer(("127.0.0.1", 0), _receiver(inbox))
    threading.Thread(target=box.serve_forever, args=[0.02], daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "STRIPE_PRO_PRICE_ID": PRICE,
        "WEBHOOK_URL": f"http://127.0.0.1:{box.server_port}/",
        "WEBHOOK_SECRET": SECRET,
    }
    command = [sys.executable, str(PROGRAM), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield Double(port, inbox)
    finally:
        process.terminate()
        process.wait(10)
        box.shutdown()
        box.server_close()


def _receiver(inbox: "queue.Queue[Delivery]") -> type[BaseHTTPRequestHandler]:
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            inbox.put(Delivery(body, self.headers["Stripe-Signature"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Receiver


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("the double of Stripe did not start")
