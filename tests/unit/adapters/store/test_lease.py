"""Leases: exclusive, fenced, taken over only from who is certainly gone or silent for too long."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from tests.unit.adapters.store.support import SetClock, make_store

from berthmaster.adapters.clock import SystemClock
from berthmaster.adapters.store import SqliteStore, lease, process
from berthmaster.domain.errors import LeaseHeld, LeaseLost

NAME = "shop@prod"
SPAWN = multiprocessing.get_context("spawn")


def test_whoever_is_refused_reads_who_since_when_and_at_which_step(
    store: SqliteStore, clock: SetClock
) -> None:
    held = store.acquire_lease(NAME, holder="ann@web1 (pid 4121, `berth deploy prod`)", seconds=60)
    clock.pass_by(12)
    store.renew_lease(held, seconds=60, step="5: start web r7")
    with pytest.raises(LeaseHeld) as refused:
        store.acquire_lease(NAME, holder="bob@web1", seconds=60)
    assert refused.value.message == (
        "shop@prod is being changed by ann@web1 (pid 4121, `berth deploy prod`)"
        " since 12 s, at step 5: start web r7"
    )
    assert (refused.value.age_seconds, refused.value.step) == (12.0, "5: start web r7")


def test_the_fence_grows_with_each_grant_and_survives_giving_back(store: SqliteStore) -> None:
    fences = []
    for _ in range(3):
        held = store.acquire_lease(NAME, holder="ann", seconds=60)
        fences.append(held.fence)
        store.release_lease(held)
    assert fences == [1, 2, 3]
    assert store.lease(NAME) is None


def test_a_lease_runs_out_only_after_the_margin(store: SqliteStore, clock: SetClock) -> None:
    store.acquire_lease(NAME, holder="ann", seconds=60)
    clock.pass_by(60 + lease.TAKEOVER_MARGIN_SECONDS - 0.1)
    with pytest.raises(LeaseHeld):
        store.acquire_lease(NAME, holder="bob", seconds=60)
    clock.pass_by(0.2)
    assert store.acquire_lease(NAME, holder="bob", seconds=60).fence == 2


@pytest.mark.parametrize("hours", [-1, 1])
def test_setting_the_wall_clock_neither_takes_a_lease_nor_keeps_it(
    store: SqliteStore, clock: SetClock, hours: int
) -> None:
    store.acquire_lease(NAME, holder="ann", seconds=60)
    clock.wall += timedelta(hours=hours)
    with pytest.raises(LeaseHeld):
        store.acquire_lease(NAME, holder="bob", seconds=60)
    clock.seconds += 66
    assert store.acquire_lease(NAME, holder="bob", seconds=60).holder == "bob"


def test_a_lost_lease_is_not_renewed_and_giving_it_back_harms_nobody(
    store: SqliteStore, clock: SetClock
) -> None:
    lost = store.acquire_lease(NAME, holder="ann", seconds=60)
    clock.pass_by(3600)
    store.acquire_lease(NAME, holder="bob", seconds=60)
    with pytest.raises(LeaseLost, match="bob"):
        store.renew_lease(lost, seconds=60)
    store.release_lease(lost)
    now = store.lease(NAME)
    assert now is not None
    assert (now.holder, now.fence) == ("bob", 2)


def test_renewing_keeps_the_step_until_another_is_named(store: SqliteStore) -> None:
    held = store.acquire_lease(NAME, holder="ann", seconds=60)
    held = store.renew_lease(held, seconds=60, step="1: pull")
    assert store.renew_lease(held, seconds=60).step == "1: pull"
    assert store.lease(NAME) == store.renew_lease(held, seconds=60)


def test_a_late_holder_may_go_on_as_long_as_nobody_took_the_lease(
    store: SqliteStore, clock: SetClock
) -> None:
    held = store.acquire_lease(NAME, holder="ann", seconds=60)
    clock.pass_by(3600)
    assert store.lease(NAME) is None
    assert store.renew_lease(held, seconds=60).fence == held.fence


def test_a_holder_of_another_boot_is_gone(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.acquire_lease(NAME, holder="ann", seconds=60)
    monkeypatch.setattr(process, "boot_id", lambda: "another boot")
    assert store.acquire_lease(NAME, holder="bob", seconds=60).fence == 2


def test_a_later_process_with_the_same_number_is_not_the_holder() -> None:
    own = process.current_process()
    assert own.started is not None
    earlier = process.Process(own.pid, own.started - 1, own.namespace, own.boot_id)
    assert not process.is_dead(own)
    assert process.is_dead(earlier)


def test_a_process_of_another_container_is_not_taken_for_dead() -> None:
    own = process.current_process()
    assert not process.is_dead(process.Process(own.pid, 1, "pid:[1]", own.boot_id))


def hold_until_killed(path: Path, ready: Connection) -> None:
    store = make_store(path, SystemClock())
    store.acquire_lease(NAME, holder="ann@web1", seconds=3600)
    ready.send("held")
    signal.pause()


@contextmanager
def holder(path: Path) -> Iterator[int]:
    ours, theirs = SPAWN.Pipe()
    child = SPAWN.Process(target=hold_until_killed, args=(path, theirs))
    child.start()
    try:
        assert ours.recv() == "held"
        assert child.pid is not None
        yield child.pid
    finally:
        child.kill()
        child.join()


def test_a_killed_holder_is_taken_over_at_once_even_before_it_is_reaped(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store.db", SystemClock())
    with holder(tmp_path / "store.db") as pid:
        with pytest.raises(LeaseHeld, match="ann@web1"):
            store.acquire_lease(NAME, holder="bob", seconds=60)
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # a zombie now
        assert store.acquire_lease(NAME, holder="bob", seconds=60).fence == 2


def test_a_stopped_holder_keeps_its_lease_until_it_runs_out(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store.db", SystemClock())
    with holder(tmp_path / "store.db") as pid:
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        with pytest.raises(LeaseHeld):
            store.acquire_lease(NAME, holder="bob", seconds=60)
        later = SetClock(seconds=SystemClock().monotonic() + 3700)
        taken = make_store(tmp_path / "store.db", later).acquire_lease(
            NAME, holder="bob", seconds=60
        )
        assert taken.fence == 2


def race(path: Path, start: Connection, result: Connection) -> None:
    store = make_store(path, SystemClock())
    result.send("ready")
    start.recv()
    for _ in range(20):
        try:
            result.send(store.acquire_lease(NAME, holder=str(os.getpid()), seconds=60).fence)
        except LeaseHeld:
            result.send(None)
    start.recv()  # a dead holder would give its lease away


def test_two_processes_that_race_for_a_lease_get_it_once(tmp_path: Path) -> None:
    make_store(tmp_path / "store.db").close()
    starts, results, children = [], [], []
    for _ in range(2):
        (start, their_start), (result, their_result) = SPAWN.Pipe(), SPAWN.Pipe()
        children.append(
            SPAWN.Process(target=race, args=(tmp_path / "store.db", their_start, their_result))
        )
        starts.append(start)
        results.append(result)
    for child in children:
        child.start()
    for connection in results:
        assert connection.recv() == "ready"
    for connection in starts:
        connection.send("go")
    won = [connection.recv() for connection in results for _ in range(20)]
    for connection in starts:
        connection.send("end")
    for child in children:
        child.join()
    assert sorted(fence for fence in won if fence is not None) == [1]
