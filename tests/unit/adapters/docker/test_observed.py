from datetime import UTC, datetime
from typing import Any

import pytest

from berthmaster.adapters.docker import observed
from berthmaster.domain.container import Health

NOW = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)


def _row(**more: Any) -> dict[str, Any]:
    values = {"Id": "a" * 64, "Names": ["/web"], "ImageID": "sha256:1", "State": "running"}
    return {**values, "Status": "Up 2 minutes", "Labels": None, **more}


def _inspected(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    base = {"Status": "running", "ExitCode": 0, "StartedAt": "2026-01-01T12:00:00.123456789Z"}
    values = {"Id": "a" * 64, "Name": "/web", "Image": "sha256:1", "Config": {"Labels": None}}
    return {**values, "State": {**base, **state}, "RestartCount": 2, **more}


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Up 2 minutes", Health.NONE),
        ("Up 2 minutes (healthy)", Health.HEALTHY),
        ("Up 2 minutes (unhealthy)", Health.UNHEALTHY),
        ("Up 1 second (health: starting)", Health.STARTING),
    ],
)
def test_health_is_read_from_the_status_of_a_row(status: str, health: Health) -> None:
    assert observed.listed_container(_row(Status=status)).health is health


def test_the_exit_code_is_read_from_the_status_of_a_row() -> None:
    row = _row(State="exited", Status="Exited (137) 3 seconds ago")
    assert observed.listed_container(row).exit_code == 137
    assert observed.listed_container(_row()).exit_code is None


def test_a_stopped_container_keeps_its_fixed_address() -> None:
    fixed = {"IPAddress": "", "IPAMConfig": {"IPv4Address": "10.201.0.2"}}
    plain = {"IPAddress": "", "IPAMConfig": None}
    row = _row(NetworkSettings={"Networks": {"a": fixed, "b": plain, "c": None}})
    assert observed.listed_container(row).addresses == {"a": "10.201.0.2"}


def test_the_legacy_address_field_is_not_needed_and_not_read() -> None:
    networks = {"IPAddress": "10.0.0.9", "Networks": {"a": {"IPAddress": "10.201.0.3"}}}
    found = observed.inspected_container(_inspected({}, NetworkSettings=networks), NOW)
    assert found.addresses == {"a": "10.201.0.3"}


def test_an_inspected_container_has_times_and_restarts() -> None:
    found = observed.inspected_container(_inspected({}), NOW)
    assert found.restart_count == 2
    assert found.started_seconds == pytest.approx(29.876544)
    assert (found.exit_code, found.health) == (None, Health.NONE)


def test_a_time_that_never_was_is_none() -> None:
    state = {"Status": "created", "StartedAt": "0001-01-01T00:00:00Z"}
    found = observed.inspected_container(_inspected(state), NOW)
    assert (found.started_at, found.started_seconds) == (None, None)


def test_the_last_output_of_the_healthcheck_is_kept() -> None:
    log = [{"Output": "old"}, {"Output": "connection refused\n"}]
    health = {"Status": "unhealthy", "Log": log}
    found = observed.inspected_container(_inspected({"Health": health}), NOW)
    assert (found.health, found.health_output) == (Health.UNHEALTHY, "connection refused")


def test_an_image_tells_its_user_and_tcp_ports() -> None:
    config = {"User": "10001", "ExposedPorts": {"8000/tcp": {}, "53/udp": {}, "80/tcp": {}}}
    image = observed.inspected_image({"Id": "sha256:1", "Config": config})
    assert (image.user, image.exposed_ports) == ("10001", (80, 8000))
