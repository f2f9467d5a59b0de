"""What `bench work` says of a request that failed: in which deploy, and at which of its steps."""

from bench.work_queue import Queued
from bench.work_stack import Deployed
from bench.work_verdict import Seen, report_on
from bench.work_watch import Watch


def test_a_failed_request_is_told_with_the_step_that_was_under_way() -> None:
    steps = [(10.0, "release r2: watch 20 s"), (15.0, "undo of shop@prod: switch r1 -> r2")]
    deployed = Deployed("dies_under_requests", began=5.0, ended=20.0, steps=steps)
    queued = Queued(failures=[(11.0, "502"), (12.0, "502"), (16.0, "503"), (30.0, "502")])
    found = report_on(Seen([deployed], Watch("shop"), queued, [], {}), None, {"cores": 2}).notes
    prefix = "requests that failed during"
    assert [note for note in found if note.startswith(prefix)] == [
        f"{prefix} dies_under_requests, release r2: watch 20 s: {{'502': 2}}",
        f"{prefix} dies_under_requests, undo of shop@prod: switch r1 -> r2: {{'503': 1}}",
        f"{prefix} no deploy: {{'502': 1}}",
    ]
