"""The whole application for a browser: web, worker and scheduler as processes of their own, the built frontend before
them, a target that answers as it is told, and Chromium.

The database is a copy of the tests' own, so nothing here is seen by another test.
"""

import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import stripe_double
from playwright.sync_api import Browser, sync_playwright

EXAMPLE = Path(__file__).parents[1]
FRONTEND = EXAMPLE / "frontend"
DATABASE = "browser"
DEMO_PASSWORD = "demo-password-1"
SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
HISTORY = Path(__file__).with_name("history.sql")
CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)


@dataclass(frozen=True, slots=True)
class Stack:
    """Where a browser finds it."""

    port: int
    target: "Target"
    worker_log: Path

    def url(self, host: str, path: str = "/") -> str:
        """Return the address of a path on a host; browsers take every name below localhost for this machine."""
        return f"http://{host}:{self.port}{path}"


class Target:
    """A site to watch."""

    def __init__(self) -> None:
        self.status = 200
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(0.03)
                self.send_response(target.status)
                self.end_headers()
                self.wfile.write(b"All systems go")

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def running(template: str, folder: Path) -> Iterator[Stack]:
    """Start all of it on a copy of the database `template`, which nobody may be connected to."""
    with closing(Target()) as target, _copied(template):
        web, front, stripe = _free_port(), _free_port(), _free_port()
        redis = os.environ["CELERY_BROKER_URL"].rpartition("/")[0]
        environment = {
            **os.environ,
            "POSTGRES_DB": DATABASE,
            "PYTHONPATH": str(EXAMPLE / "backend"),
            "CELERY_TASK_ALWAYS_EAGER": "false",
            "CELERY_BROKER_URL": f"{redis}/3",
            "CELERY_RESULT_BACKEND": f"{redis}/4",
            "CACHE_URL": f"{redis}/5",
            "CHECK_INTERVAL_SECONDS": "1",
            "INTERVAL_UNIT_SECONDS": "1",
            "SSRF_ALLOWED_TARGETS": "127.0.0.1",
            "DEFAULT_TENANT_DOMAIN_SUFFIX": "localhost",
            "DEMO_TENANT": "acme",
            "FRONTEND_URL": f"http://localhost:{front}",
            "SEED_PASSWORD": DEMO_PASSWORD,
            "SEED_ENDPOINTS": f"Website={target.url},Checkout API={target.url}checkout,Docs={target.url}docs",
            "STRIPE_API_BASE": f"http://127.0.0.1:{stripe}",
            "STRIPE_PUBLIC_KEY": "pk_test_double",
            "STRIPE_SECRET_KEY": stripe_double.KEY,
            "STRIPE_WEBHOOK_SECRET": stripe_double.SECRET,
            "STRIPE_PRO_PRICE_ID": stripe_double.PRICE,
            "PUBLIC_URL": f"http://127.0.0.1:{stripe}",  # these three are the double's own
            "WEBHOOK_URL": f"http://127.0.0.1:{web}/api/billing/webhook/",
            "WEBHOOK_SECRET": stripe_double.SECRET,
            "PORT": str(web),
            "WEB_CONCURRENCY": "1",
            "HEARTBEAT_DIR": str(folder),
        }
        _run("manage.py", "seed_demo", "--suffix", "localhost", env=environment)
        _fill_history()
        celery = ("-m", "celery", "-A", "app")
        commands = {
            "web": [sys.executable, "-m", "gunicorn", "app.wsgi:application"],
            "worker": [sys.executable, *celery, "worker", "-l", "info", "-c", "1"],
            "stripe": [sys.executable, str(stripe_double.PROGRAM), "--host", "127.0.0.1", "--port", str(stripe)],
            "beat": [sys.executable, *celery, "beat", "-l", "info", "--pidfile=", "-S", SCHEDULER],
        }
        node = [shutil.which("node") or "node", "node_modules/vite/bin/vite.js", "preview"]
        with _processes(commands, EXAMPLE / "backend", environment, folder):
            served = {**os.environ, "STATUSWATCH_BACKEND": f"http://127.0.0.1:{web}"}
            words = [*node, "--host", "127.0.0.1", "--port", str(front), "--strictPort"]
            with _processes({"front": words}, FRONTEND, served, folder):
                _wait_for(f"http://127.0.0.1:{web}/healthz", "localhost", folder)
                _wait_for(f"http://127.0.0.1:{front}/api/host/", "localhost", folder)
                yield Stack(front, target, folder / "worker.log")


def links(stack: Stack) -> list[str]:
    """Return the links of all mails so far; the worker writes mails to its console."""
    return re.findall(r"http://\S+/verify-email/\?token=\S+", stack.worker_log.read_text())


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; root needs --no-sandbox."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def ask(stack: Stack, host: str, path: str, body: dict[str, object], token: str = "") -> dict[str, object]:
    """POST to the API, as a program does."""
    headers = {"Content-Type": "application/json", "Host": f"{host}:{stack.port}"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    url = f"http://127.0.0.1:{stack.port}{path}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def _connect(database: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=os.environ["POSTGRES_HOST"],
        port=os.environ["POSTGRES_PORT"],
        user=os.environ["POSTGRES_USER"],
        password=os.environ["POSTGRES_PASSWORD"],
        dbname=database,
        autocommit=True,
    )


def set_plan(schema_name: str, plan: str) -> None:
    """Change an organization's plan, as an operator would."""
    with _connect(DATABASE) as connection:
        connection.execute(
            "UPDATE tenants_client SET subscription_status = %s WHERE schema_name = %s", [plan, schema_name]
        )


def _fill_history() -> None:
    with _connect(DATABASE) as connection:
        connection.execute(HISTORY.read_text())


@contextmanager
def _copied(template: str) -> Iterator[None]:
    with _connect("postgres") as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [template])
        connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {template}")
        try:
            yield
        finally:
            connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")


@contextmanager
def _processes(
    commands: dict[str, list[str]], where: Path, environment: dict[str, str], folder: Path
) -> Iterator[None]:
    started = []
    try:
        for name, words in commands.items():
            with (folder / f"{name}.log").open("wb") as log:
                started.append(
                    subprocess.Popen(
                        words,
                        cwd=where,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )
        yield
    finally:
        for process in started:  # nothing of them is kept
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _run(*words: str, env: dict[str, str]) -> None:
    subprocess.run([sys.executable, *words], cwd=EXAMPLE / "backend", env=env, check=True, capture_output=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _wait_for(url: str, host: str, folder: Path) -> None:
    deadline = time.monotonic() + 40
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers={"Host": host}), timeout=3):
                return
        except OSError as exc:
            if time.monotonic() > deadline:
                logs = "\n".join(f"{log.name}:\n{log.read_text()[-2000:]}" for log in sorted(folder.glob("*.log")))
                raise AssertionError(f"{url} does not answer: {exc}\n{logs}") from exc
            time.sleep(0.1)
