"""The double of a mail server, asked as Django and as a person ask it."""

import json
import os
import smtplib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "mail-double" / "double.py"


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        smtp, page = one.getsockname()[1], two.getsockname()[1]
    command = [sys.executable, str(PROGRAM), "--host", "127.0.0.1", "--smtp-port", str(smtp), "--port", str(page)]
    with subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                ask(page, "/healthz")
                break
            except OSError:
                time.sleep(0.05)
        yield smtp, page
        process.kill()


def ask(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read().decode()


def test_a_mail_is_kept_as_it_was_written_and_shown(ports: tuple[int, int]) -> None:
    mail = EmailMessage()
    mail["To"], mail["From"], mail["Subject"] = "ann@example.com", "us@example.com", "Grüße <b>"
    link = "https://statuswatch.localhost/verify-email/?token=" + "x" * 60
    mail.set_content(f".a line with a dot\n{link}\n")
    with smtplib.SMTP("127.0.0.1", ports[0], timeout=5) as client:
        client.send_message(mail)
    (kept,) = json.loads(ask(ports[1], "/mails"))
    assert (kept["to"], kept["subject"]) == ("ann@example.com", "Grüße <b>")
    assert kept["text"] == f".a line with a dot\n{link}\n"
    assert "Grüße &lt;b&gt;" in ask(ports[1], "/")


def test_what_is_not_there_is_said(ports: tuple[int, int]) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(ports[1], "/else")
