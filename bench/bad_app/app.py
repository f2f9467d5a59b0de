"""A release with one thing wrong with it, chosen by BAD; without it a good one."""
# ruff: noqa: C901, PLR0912, PLW0603, RET503 - one switch, as small as it can be

import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import postgres  # type: ignore[import-not-found]  # beside it in the image

BAD = os.environ.get("BAD", "")
ROWS = os.environ.get("ROWS", "")  # it is well only while the table can be read
VERSION = os.environ.get("VERSION", "none")
asked = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        global asked
        asked += self.path == "/"
        if BAD == "dies_under_requests" and asked > 25:
            os._exit(11)
        if BAD == "hangs":
            time.sleep(600)
        if BAD == "answers_500":
            return self.reply(500, "no database")
        if ROWS and self.path == "/health":
            try:
                postgres.ask("SELECT count(*) FROM rows", timeout=2)
            except OSError as error:
                return self.reply(503, f"no rows: {type(error).__name__}")
        if BAD == "redirects":
            return self.reply(301, "", ("Location", f"https://{self.headers['Host']}{self.path}"))
        if BAD == "refuses_host":
            return self.reply(400, "DisallowedHost")
        if BAD == "needs_login":
            return self.reply(401, "who are you")
        if BAD == "no_such_path" and self.path != "/":
            return self.reply(404, "not here")
        self.reply(200, f"hello from {VERSION}")

    def reply(self, status: int, text: str, *more: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*more, ("X-Version", VERSION), ("Content-Length", str(len(text)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


def web() -> None:
    address = "127.0.0.1" if BAD == "localhost" else "0.0.0.0"
    server = Server((address, 9000 if BAD == "wrong_port" else 8000), Handler)
    if BAD != "ignores_sigterm":
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if BAD == "dies_after_15":
        threading.Timer(15, os._exit, (7,)).start()
    if BAD == "dies_after_60":
        threading.Timer(60, os._exit, (7,)).start()
    server.serve_forever()


def garbage() -> None:
    with socket.create_server(("0.0.0.0", 8000)) as server:
        while True:
            connection, _ = server.accept()
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            connection.close()


def go_wrong() -> None:
    """What ends the process before it serves."""
    match BAD:
        case "crash":
            sys.exit("RuntimeError: the configuration cannot be read")
        case "exits_zero":
            sys.exit(0)
        case "missing_variable":
            os.environ["DATABASE_URL"]
        case "unreadable_secret":
            os.setuid(12345)
            open("/run/secrets/token").close()
        case "out_of_memory":
            held = [bytearray(8_000_000) for _ in range(60)]
            print(len(held))
        case "fills_disk":
            with open("/scratch/data", "wb") as file:
                for _ in range(64):
                    file.write(b"x" * 100_000)
        case "floods_log":
            for number in range(100_000):
                print(f"line {number} of very many")
            sys.exit(3)
        case "needs_cache":
            socket.create_connection(("cache", 6379))
        case "needs_database":
            socket.create_connection(("redis", 5432), timeout=3)
        case "ignores_sigterm":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        case "never_listens":
            time.sleep(600)
        case "slow_start":
            time.sleep(40)
        case "garbage":
            garbage()


if __name__ == "__main__":
    go_wrong()
    web()
