import socket
import threading
from collections.abc import Iterator

import pytest
import redis
from conftest import TenantBrowser
from django.db import OperationalError, connection
from django.test import RequestFactory

import healthcheck
from app import heartbeat
from health import checks, workers
from shared.inside import is_inside

pytestmark = pytest.mark.django_db


@pytest.mark.requirement("R80")
def test_a_good_release_is_alive_and_ready(public: TenantBrowser) -> None:
    assert public.get("/health/").json()["checks"] == {"database": "ok", "broker": "ok"}
    ready = public.get("/health/ready/")
    assert ready.status_code == 200
    assert ready.json()["checks"]["migrations"] == "ok"
    assert public.get("/healthz").content == b"ok"


@pytest.fixture
def no_worker() -> Iterator[None]:
    workers._store().delete(workers.KEY)
    yield
    workers._store().delete(workers.KEY)


def test_a_release_may_take_requests_before_it_has_a_worker(public: TenantBrowser, no_worker: None) -> None:
    answer = public.get("/health/ready/")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["workers"] == "no worker"
    assert public.get("/health/ready/?require=workers").status_code == 503
    workers.note("one")
    assert public.get("/health/ready/?require=workers").json()["status"] == "healthy"
    workers.forget("one")
    assert public.get("/health/ready/?require=workers").status_code == 503


def test_a_worker_that_died_without_a_word_is_forgotten(no_worker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    workers.note("one")
    assert workers.living() == {"dev": 1}
    monkeypatch.setattr(workers, "LIVES_SECONDS", -1.0)
    assert workers.living() == {}


def test_the_first_bad_check_hides_no_other(public: TenantBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise OSError("away")

    monkeypatch.setattr(checks, "broker", fail)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM beta.django_migrations WHERE app = 'monitors'")
    told = public.get("/health/ready/").json()["checks"]
    assert told["database"] == "ok"
    assert told["broker"] != "ok"
    assert told["migrations"].startswith("1 schema(s) behind")


def test_the_single_checks_are_told_inside_only(public: TenantBrowser, settings: object) -> None:
    outside = {"X-Forwarded-For": "203.0.113.9"}
    answer = public.get("/health/ready/", **outside)
    assert answer.status_code == 200
    assert "checks" not in answer.json()
    settings.INTERNAL_NETWORKS = ["203.0.113.0/24"]
    assert "checks" in public.get("/health/ready/", **outside).json()


@pytest.mark.parametrize(
    ("forwarded", "proxies", "is_allowed"),
    [
        ("10.0.0.1", 1, True),
        ("203.0.113.9", 1, False),
        ("10.0.0.1, 203.0.113.9", 1, False),  # the client made the first one up
        ("10.0.0.1, 203.0.113.9", 2, True),
        ("10.0.0.1", 2, True),
        ("nonsense", 1, False),
        ("2001:db8::1", 1, False),
    ],
)
def test_who_is_inside(forwarded: str, proxies: int, is_allowed: bool, settings: object) -> None:
    settings.INTERNAL_NETWORKS, settings.TRUSTED_PROXY_COUNT = ["10.0.0.0/8"], proxies
    assert is_inside(RequestFactory().get("/", headers={"X-Forwarded-For": forwarded})) is is_allowed


def test_health_answers_on_a_tenants_host_too(guest: TenantBrowser) -> None:
    assert guest.get("/health/ready/").status_code == 200


def test_an_unapplied_migration_of_one_tenant_keeps_a_release_from_traffic(public: TenantBrowser) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM beta.django_migrations WHERE app = 'monitors'")
    answer = public.get("/health/ready/")
    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"] == "1 schema(s) behind; beta lacks 10, first monitors.0001_initial"
    assert public.get("/health/").status_code == 200


def test_a_schema_that_is_ahead_is_ready_for_the_older_release(public: TenantBrowser) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO acme.django_migrations (app, name, applied) VALUES ('monitors', '0099_new', now())")
    assert public.get("/health/ready/").status_code == 200


def test_a_broken_broker_is_named_and_its_address_is_not(
    public: TenantBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> redis.Redis:
        raise redis.ConnectionError("redis://user:secret@host")

    monkeypatch.setattr(checks, "broker", fail)
    answer = public.get("/health/")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "ok", "broker": "error: ConnectionError"}


def test_a_broken_database_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OperationalError("password=secret")

    monkeypatch.setattr(connection, "cursor", fail)
    assert checks.run_checks(checks.check_database) == {"database": "error: OperationalError"}


def test_the_host_check_holds_for_health_too(public: TenantBrowser, settings: object) -> None:
    settings.ALLOWED_HOSTS = [".testserver"]
    public.browser.raise_request_exception = False
    assert public.get("/health/").status_code == 200
    assert public.get("/health/", Host="evil.example").status_code == 400


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A server that notes the request and answers 200."""
    requests: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("PORT", str(server.getsockname()[1]))

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                requests.append(peer.recv(4096).decode())
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield requests


def test_the_container_check_asks_with_the_public_host(web: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_TENANT_DOMAIN_SUFFIX", "statuswatch.example")
    assert healthcheck.main("web") is None
    assert "Host: statuswatch.example\r\n" in web[0]


def test_the_container_check_fails_when_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")
    assert "refused" in healthcheck.main("web")


def test_a_worker_is_healthy_while_its_heart_beats(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("HEARTBEAT_DIR", str(tmp_path))
    assert healthcheck.main("worker") == "worker has not worked yet"
    heartbeat.beat("worker")
    assert healthcheck.main("worker") is None
    monkeypatch.setattr(healthcheck, "WORKER_LIMIT_SECONDS", -1.0)
    assert "last worked" in healthcheck.main("worker")
    heartbeat.forget("worker")
    assert heartbeat.age_seconds_or_none("worker") is None


def test_the_signals_of_worker_and_beat_are_heartbeats(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    from celery import signals

    from app.celery import app

    assert app.main == "statuswatch"
    monkeypatch.setenv("HEARTBEAT_DIR", str(tmp_path))
    signals.worker_ready.send(sender=None)
    signals.heartbeat_sent.send(sender=None)
    signals.beat_init.send(sender=None)
    assert healthcheck.main("worker") is None
    assert healthcheck.main("beat") is None
    signals.worker_shutdown.send(sender=None)
    assert healthcheck.main("worker") is not None
