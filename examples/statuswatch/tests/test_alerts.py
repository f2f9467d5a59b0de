"""Alerts really leave: by SMTP and HTTP to servers on loopback."""

import hashlib
import hmac
import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from django_tenants.utils import tenant_context

from monitors import alerts, tasks
from monitors.models import Alert, AlertChannel, DeadLetter, Endpoint, Incident
from tenants.models import Client

pytestmark = pytest.mark.django_db
NOW = timezone.now()


class Mailbox(socketserver.StreamRequestHandler):
    """As much SMTP as it takes to receive a mail."""

    mails: list[str] = []

    def handle(self) -> None:
        self.say("220 ready")
        for line in self.rfile:
            word = line.decode().strip().upper()
            if word == "DATA":
                self.say("354 go on")
                Mailbox.mails.append("".join(self.until_the_dot()))
            self.say("221 bye" if word == "QUIT" else "250 ok")

    def until_the_dot(self) -> Iterator[str]:
        for line in self.rfile:
            if line == b".\r\n":
                return
            yield line.decode()

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class Hook(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent and answers as told."""

    received: list[tuple[dict[str, str], bytes]] = []
    code = 204

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Hook.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(Hook.code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def serving(server: socketserver.TCPServer) -> Iterator[int]:
    with server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def mail(settings: object) -> Iterator[list[str]]:
    Mailbox.mails = []
    for port in serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox)):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        settings.EMAIL_USE_TLS, settings.EMAIL_HOST_USER = False, ""
        yield Mailbox.mails


@pytest.fixture
def hook(settings: object) -> Iterator[str]:
    Hook.received, Hook.code = [], 204
    settings.SSRF_ALLOWED_TARGETS = ["localhost"]
    settings.CHECK_TIMEOUT_SECONDS = 2
    for port in serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)):
        yield f"http://localhost:{port}/hook"


@pytest.fixture
def incident(acme: Client, endpoint: Endpoint) -> Iterator[Incident]:
    with tenant_context(acme):
        yield Incident.objects.create(endpoint=endpoint, cause="error:500", started_at=NOW)


def make_alert(incident: Incident | None, event: str = "down", **channel: str) -> Alert:
    return Alert.objects.create(
        channel=AlertChannel.objects.create(**channel),
        incident=incident,
        event=event,
        created_at=NOW,
        next_attempt_at=NOW,
    )


def test_a_mail_says_what_is_down_and_is_sent_once(incident: Incident, mail: list[str]) -> None:
    Endpoint.objects.update(name="Shop\r\nBcc: everybody@example.com")
    alert = make_alert(incident, kind="email", target="ops@example.com")
    assert alerts.deliver(alert.pk, NOW) == "sent"
    assert alerts.deliver(alert.pk, NOW) == "nothing to do"
    (text,) = mail
    assert "To: ops@example.com" in text
    assert "is down" in text
    assert "error:500 since" in text
    assert "\r\nBcc:" not in text


def test_a_mail_says_how_long_it_was_down(incident: Incident, mail: list[str]) -> None:
    incident.resolved_at = NOW + timedelta(minutes=7)
    incident.save()
    alerts.deliver(make_alert(incident, "recovered", kind="email", target="ops@example.com").pk, NOW)
    assert "is up again" in mail[0]
    assert "for 7 min" in mail[0]


def test_a_webhook_is_signed_and_says_the_same(incident: Incident, hook: str) -> None:
    alert = make_alert(incident, kind="webhook", target=hook, secret="shared")
    assert alerts.deliver(alert.pk, NOW) == "sent"
    ((headers, body),) = Hook.received
    wanted = hmac.new(b"shared", body, hashlib.sha256).hexdigest()
    assert headers["x-statuswatch-signature"] == f"sha256={wanted}"
    assert headers["x-statuswatch-alert"] == str(alert.pk)
    told = json.loads(body)
    assert (told["event"], told["organization"], told["cause"]) == ("down", "Acme", "error:500")
    assert told["endpoint"]["name"] == "One"


def test_what_does_not_arrive_is_tried_again_and_given_up(incident: Incident, hook: str) -> None:
    Hook.code = 500
    alert = make_alert(incident, kind="webhook", target=hook)
    now = NOW
    for pause in alerts.PAUSES_SECONDS:
        assert alerts.deliver(alert.pk, now) == "pending"
        assert alerts.deliver(alert.pk, now + timedelta(seconds=pause - 1)) == "nothing to do"
        now += timedelta(seconds=pause)
    assert alerts.deliver(alert.pk, now) == "failed"
    assert len(Hook.received) == 1 + len(alerts.PAUSES_SECONDS)
    assert DeadLetter.objects.get().reason == "webhook: answered 500"


def test_an_alert_that_the_broker_lost_is_found_by_the_schedule(
    incident: Incident, hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = make_alert(incident, kind="webhook", target=hook)
    assert tasks.schedule_endpoint_checks()["alerts"] == 1  # tasks run at once here
    alert.refresh_from_db()
    assert alert.state == "sent"
    assert len(Hook.received) == 1


def test_a_broker_that_is_away_loses_nothing(incident: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    from kombu.exceptions import OperationalError

    def fail(*_: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(tasks.deliver_alert, "delay", fail)
    alert = make_alert(incident, kind="webhook", target="http://localhost/")
    assert tasks.send_later("acme", [alert]) == 0
    assert alerts.pending(timezone.now()).count() == 1


def test_a_webhook_that_leads_inside_is_not_called(incident: Incident, hook: str, settings: object) -> None:
    settings.SSRF_ALLOWED_TARGETS = []
    alert = make_alert(incident, kind="webhook", target=hook)
    assert alerts.deliver(alert.pk, NOW) == "pending"
    alert.refresh_from_db()
    assert "private address" in alert.last_error
    assert Hook.received == []


def test_a_mail_server_that_is_away_is_no_crash(incident: Incident, settings: object) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert alerts.deliver(make_alert(incident, kind="email", target="ops@example.com").pk, NOW) == "pending"


def test_an_alert_of_a_tenant_that_is_gone_ends_quietly(db: None) -> None:
    assert tasks.deliver_alert("no_such_tenant", 1) == "tenant is gone"


def test_from_two_failed_checks_to_the_webhook(
    acme: Client, endpoint: Endpoint, hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitors.probe import Outcome

    with tenant_context(acme):
        AlertChannel.objects.create(kind="webhook", target=hook)
    for outcome in (Outcome("error:500", 1), Outcome("error:500", 1), Outcome("200", 1)):
        monkeypatch.setattr(tasks, "probe", lambda *_, outcome=outcome: outcome)
        tasks.ping_endpoint("acme", str(endpoint.pk))
    assert [json.loads(body)["event"] for _, body in Hook.received] == ["down", "recovered"]
