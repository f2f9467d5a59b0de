"""Limits of a service: over its own, in both spellings; a PostgreSQL gets settings that fit."""

import pytest

from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.spec import Limits
from berthmaster.planner.limits import (
    bytes_of,
    check_connections,
    postgres_options,
    set_limits,
)

POSTGRES = "registry.test/postgres:15"


def test_limits_win_over_what_the_compose_file_says() -> None:
    resources = {
        "limits": {"memory": "1073741824", "pids": 100},
        "reservations": {"memory": "536870912", "cpus": "0.1"},
    }
    service = {"deploy": {"resources": resources}, "mem_limit": "1g", "cpus": 2}
    set_limits(service, Limits("128m", 0.5), "registry.test/web:v1")
    assert service == {
        "deploy": {"resources": {"limits": {"memory": "128m", "pids": 100, "cpus": "0.5"}}}
    }


def test_without_limits_a_service_stays_as_it_is() -> None:
    service = {"mem_limit": "1g", "command": ["serve"]}
    set_limits(service, Limits(), POSTGRES)
    assert service == {"mem_limit": "1g", "command": ["serve"]}


@pytest.mark.parametrize(
    ("memory", "buffers"), [(None, 16), ("64m", 16), ("512m", 64), ("1g", 128), ("64g", 2048)]
)
def test_a_small_postgres_gets_small_buffers(memory: str | None, buffers: int) -> None:
    options = postgres_options(Limits(memory, None, 20), POSTGRES)
    assert "max_connections=20" in options
    assert f"shared_buffers={buffers}MB" in options


def test_options_come_after_the_command_of_the_file() -> None:
    service = {"command": ["postgres", "-c", "max_connections=200"]}
    set_limits(service, Limits(connections=10), POSTGRES)
    assert service["command"][:3] == ["postgres", "-c", "max_connections=200"]
    assert service["command"][3:5] == ["-c", "max_connections=10"]


def test_only_a_postgres_gets_them() -> None:
    assert postgres_options(Limits(connections=10), "registry.test/redis:7") == ()
    assert postgres_options(Limits("512m"), POSTGRES) == ()


def test_sizes_are_read_as_compose_reads_them() -> None:
    assert [bytes_of(text) for text in ("512", "1k", "2M", "1.5g", "3GB", "x")] == [
        512,
        1024,
        2 << 20,
        3 << 29,
        3 << 30,
        0,
    ]


def test_a_limit_that_nothing_would_keep_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="resources of cache: `connections` is for a PostgreSQL"):
        check_connections("cache", Limits(connections=10), "registry.test/redis:7")
    check_connections("db", Limits(connections=10), POSTGRES)
