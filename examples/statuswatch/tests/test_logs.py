"""Log lines carry their request, and no secret."""

import json
import logging
import re
from collections.abc import Iterator

import pytest
from conftest import TenantBrowser

from shared.logs import JsonFormatter, LineFormatter

pytestmark = pytest.mark.django_db
Lines = list[dict[str, object]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What production would have written."""
    found: Lines = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(JsonFormatter().format(record)))

    handler = Keep()
    logging.getLogger().addHandler(handler)
    yield found
    logging.getLogger().removeHandler(handler)


def of_requests(lines: Lines) -> Lines:
    return [line for line in lines if line["logger"] == "statuswatch.request"]


def test_a_request_is_one_line_with_tenant_and_id(user: TenantBrowser, lines: Lines) -> None:
    answer = user.get("/api/endpoints/?page=1", **{"X-Request-ID": "abc-1"})
    assert answer["X-Request-ID"] == "abc-1"
    (line,) = of_requests(lines)
    wanted = {"method": "GET", "path": "/api/endpoints/", "status": 200, "tenant": "acme", "request_id": "abc-1"}
    assert {name: line[name] for name in wanted} == wanted
    assert line["duration_ms"] >= 0
    assert line["user"] is not None


def test_an_id_that_could_break_a_line_is_replaced(guest: TenantBrowser) -> None:
    for given in ("<script>", "x" * 65, ""):
        assert guest.get("/", **{"X-Request-ID": given})["X-Request-ID"].isalnum()


def test_probes_are_not_logged(public: TenantBrowser, lines: Lines) -> None:
    public.get("/health/")
    public.get("/version")
    assert of_requests(lines) == []


def test_no_secret_of_a_login_is_logged(guest: TenantBrowser, lines: Lines) -> None:
    guest.post("/api/auth/login/?password=PLANTED", {"username": "demo", "password": "PLANTED"})
    guest.headers = {"Authorization": "Bearer PLANTED"}
    guest.get("/api/auth/me/?token=PLANTED")
    assert "PLANTED" not in json.dumps(lines)
    assert len(of_requests(lines)) == 2


def test_an_exception_is_told_without_what_it_holds(lines: Lines) -> None:
    try:
        raise RuntimeError("sk_live_PLANTED")
    except RuntimeError:
        logging.getLogger("test").exception("failed with %s", "postgresql://u:PLANTED@db/x")
    assert "RuntimeError" in lines[-1]["error"]
    assert "PLANTED" not in json.dumps(lines[-1])


def test_a_terminal_is_spared_secrets_too() -> None:
    record = logging.makeLogRecord({"msg": "whsec_PLANTED", "levelname": "INFO"})
    assert LineFormatter("{levelname} {message}", style="{").format(record) == "INFO [redacted]"


# What `berth logs --errors` and other tools take for an error.
ALARMING = re.compile(r"\b(error|exception|traceback|critical|fatal|panic|failed)\b|status[=: ]+5\d\d", re.IGNORECASE)


@pytest.mark.requirement("R182")
def test_what_users_do_wrong_looks_like_no_error(guest: TenantBrowser, lines: Lines) -> None:
    """Sessions end and passwords are mistyped every day; nobody should be woken for it."""
    guest.get("/api/endpoints/")
    guest.headers = {"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"}
    assert guest.get("/api/endpoints/").status_code == 401
    guest.headers = {"Authorization": "Token sw_unknown"}
    assert guest.get("/api/endpoints/").status_code == 401
    assert guest.post("/api/auth/login/", {"username": "demo", "password": "wrong"}).status_code == 401
    assert guest.post("/api/auth/refresh/", {"refresh": "old"}).status_code == 401
    assert len(of_requests(lines)) == 5
    assert [line for line in lines if ALARMING.search(json.dumps(line))] == []
