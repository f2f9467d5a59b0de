"""A page that counts its visits in Redis; the standard library only."""

import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def count_visit() -> int:
    with socket.create_connection(("redis", 6379), timeout=5) as redis:
        redis.sendall(b"INCR visits\r\n")
        return int(redis.makefile().readline().lstrip(":"))


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/health":
            text = "well\n"
        else:
            text = f"version {os.environ['VERSION']}, visit {count_visit()}\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


class Server(ThreadingHTTPServer):
    daemon_threads = False  # requests in hand are answered


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
Server(("", 8000), Page).serve_forever()
