import logging
import multiprocessing
from pathlib import Path

import pytest

from shared.logfile import SharedRotatingFileHandler
from shared.redaction import HIDDEN, redact, redact_all


def write_lines(path: str, writer: int, count: int) -> None:
    handler = SharedRotatingFileHandler(path, maxBytes=4000, backupCount=50)
    for number in range(count):
        handler.handle(logging.makeLogRecord({"msg": f"{writer}:{number}", "levelno": logging.INFO}))


def test_no_line_is_lost_while_three_processes_rotate(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_lines, args=(str(path), writer, 1000)) for writer in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    files = [file for file in tmp_path.glob("app.log*") if file.suffix != ".lock"]
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert len(files) > 3
    assert sorted(lines) == sorted(f"{writer}:{number}" for writer in range(3) for number in range(1000))


def test_a_file_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    write_lines(str(path), 1, 1)
    handler = SharedRotatingFileHandler(path)
    path.unlink()
    handler.handle(logging.makeLogRecord({"msg": "again", "levelno": logging.INFO}))
    assert path.read_text() == "again\n"


@pytest.mark.parametrize(
    "text",
    [
        "key sk_live_PLANTED in use",
        "rk_test_PLANTED",
        "whsec_PLANTED",
        "SG.PLANTED0123456789abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJPLANTED.PLANTED",
        "postgresql://user:PLANTED@db/dj01",
        "dsn https://PLANTED@sentry.io/1",
        "Authorization: Bearer PLANTED",
        "GET /verify?token=PLANTED&x=1",
        "password=PLANTED",
        "{'password': 'PLANTED'}",
    ],
)
def test_a_secret_is_taken_out(text: str) -> None:
    assert "PLANTED" not in redact(text)
    assert HIDDEN in redact(text)


def test_what_is_no_secret_stays() -> None:
    text = "GET https://example.com/a?b=1 took 3 ms, the password is wrong"
    assert redact(text) == text
    assert redact_all({"a": ["whsec_x", 1, None]}) == {"a": [HIDDEN, 1, None]}
