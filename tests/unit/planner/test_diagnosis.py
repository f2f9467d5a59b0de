"""The cause that a report names, from the evidence."""

from typing import Any

import pytest

from berthmaster.domain.report import Evidence
from berthmaster.planner.diagnosis import diagnose

CASES: list[tuple[str, dict[str, Any]]] = [
    ("out_of_memory", {"is_oom_killed": True, "exit_code": 137, "state": "exited"}),
    ("crash_loop", {"state": "restarting", "exit_code": 1, "restart_count": 3}),
    ("exits_zero", {"state": "exited", "exit_code": 0}),
    ("redirect", {"state": "running", "status": 301, "location": "https://shop.test/"}),
    ("refuses_host", {"state": "running", "status": 400}),
    (
        "listens_on_localhost",
        {
            "state": "running",
            "is_refused": True,
            "wanted_port": 8000,
            "listens": ("127.0.0.1:8000",),
        },
    ),
    (
        "wrong_port",
        {"state": "running", "is_refused": True, "wanted_port": 8000, "listens": ("0.0.0.0:9000",)},
    ),
    ("slow_start", {"state": "running", "is_refused": True, "wanted_port": 8000}),
    ("bad_answer", {"state": "running", "status": 500}),
    ("never_healthy", {"state": "running", "health": "unhealthy"}),
    (
        "healthcheck_tool",
        {"state": "running", "health": "unhealthy", "health_output": "/bin/sh: curl: not found"},
    ),
    ("missing_variable", {"state": "exited", "exit_code": 1, "log": ("KeyError: 'SECRET_KEY'",)}),
    ("wrong_architecture", {"state": "exited", "log": ("exec /app: exec format error",)}),
    (
        "service_missing",
        {
            "state": "exited",
            "exit_code": 1,
            "log": ('could not translate host name "cache" to address',),
        },
    ),
    ("disk_full", {"state": "exited", "log": ("OSError: No space left on device",)}),
    ("unreadable_file", {"log": ("PermissionError: [Errno 13] '/run/secrets/key'",)}),
    ("no_answer", {"state": "running", "probe": "GET http://10.0.0.2:8000/", "answer": "no time"}),
    ("migration_locks_out", {"state": "exited", "exit_code": 0, "locked_out": "r6"}),
    ("bad_smoke", {"state": "running", "status": 200, "what": "failed the smoke condition /"}),
    ("unknown", {"state": "running"}),
]


@pytest.mark.parametrize(("cause", "facts"), CASES, ids=[case[0] for case in CASES])
def test_the_report_names_the_cause(cause: str, facts: dict[str, Any]) -> None:
    named = {"service": "web", "container": "shop-prod-r7-web-1", "what": "failed"}
    evidence = Evidence(**{**named, **facts})
    assert diagnose(evidence).cause == cause
