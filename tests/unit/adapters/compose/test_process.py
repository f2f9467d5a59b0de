import asyncio
import os
import sys
from pathlib import Path

import pytest

from berthmaster.adapters.compose import process
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.sealed import Mask


def _python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *arguments)


async def test_only_named_variables_reach_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSE_FILE", "/etc/elsewhere.yaml")
    monkeypatch.setenv("DATABASE_URL", "postgres://x")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")
    code = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"
    ended = await process.run(process.Task(_python(code), variables={"TAG": "v1"}))
    shown = set(eval(ended.output))
    assert {"PATH", "DOCKER_HOST", "TAG"} <= shown <= {*process._KEPT, "TAG"}


async def test_the_program_finds_no_input() -> None:
    ended = await process.run(process.Task(_python("import sys; print(repr(sys.stdin.read()))")))
    assert ended.output == b"''\n"


async def test_code_and_both_streams_are_kept_apart() -> None:
    code = "import sys; print('out'); print('bad', file=sys.stderr); sys.exit(3)"
    ended = await process.run(process.Task(_python(code)))
    assert (ended.code, ended.output, ended.errors) == (3, b"out\n", "bad\n")


async def test_no_secret_reaches_log_or_message(tmp_path: Path) -> None:
    code = (
        "import sys; sys.stderr.write('key hunter2-lo'); sys.stderr.flush();"
        "sys.stderr.write('ng!\\nport 8000\\n'); print('hunter2-long')"
    )
    log = tmp_path / "up.log"
    mask = Mask(["hunter2-long", "8000"])
    ended = await process.run(process.Task(_python(code), log=log, mask=mask))
    assert ended.errors == "key ***!\nport 8000\n"
    assert "hunter2" not in log.read_text()
    assert sorted(log.read_text().splitlines()) == ["***", "key ***!", "port 8000"]
    assert log.stat().st_mode & 0o777 == 0o600


async def test_cancelling_ends_the_whole_group(tmp_path: Path) -> None:
    child = "import time; time.sleep(60)"
    parent = (
        "import subprocess, sys, pathlib;"
        f"p = subprocess.Popen([sys.executable, '-c', {child!r}]);"
        "pathlib.Path(sys.argv[1]).write_text(str(p.pid)); p.wait()"
    )
    written = tmp_path / "pid"
    task = asyncio.create_task(process.run(process.Task(_python(parent, str(written)))))
    await _has_content(written)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _runs(int(written.read_text()))


async def test_a_program_that_ignores_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.1)
    code = (
        "import os, pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
    )
    written = tmp_path / "pid"
    task = asyncio.create_task(process.run(process.Task(_python(code, str(written)))))
    await _has_content(written)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _runs(int(written.read_text()))


async def test_a_missing_docker_is_said_plainly() -> None:
    with pytest.raises(OutsideError, match="not on PATH"):
        await process.run(process.Task(("no-such-program-here",)))


async def _has_content(path: Path) -> None:
    for _ in range(6000):
        if _text(path):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{path} was never written")


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _runs(pid: int) -> bool:
    """A zombie that nobody waited for does not run any more."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
