"""As much of PostgreSQL's protocol as a health check and a migration need: no password, one query.

Standard library only, so that the image of the scenarios is built in no time.
"""

import socket
import struct
import sys
from typing import BinaryIO

LOGIN = b"user\0shop\0database\0shop\0\0"


def ask(statements: str, *, timeout: float) -> None:
    """Send statements, which are one transaction, and wait for their end; raises `OSError`."""
    with socket.create_connection(("db", 5432), timeout) as connection:
        answers = connection.makefile("rb")
        connection.sendall(struct.pack("!II", len(LOGIN) + 8, 3 << 16) + LOGIN)
        _await_ready(answers)
        query = statements.encode() + b"\0"
        connection.sendall(b"Q" + struct.pack("!I", len(query) + 4) + query)
        _await_ready(answers)


def _await_ready(answers: BinaryIO) -> None:
    error = b""
    while (kind := answers.read(1)) != b"Z":
        if not kind:
            raise OSError(error.decode() or "the database hung up")
        (length,) = struct.unpack("!I", answers.read(4))
        body = answers.read(length - 4)
        error = body if kind == b"E" else error
    answers.read(struct.unpack("!I", answers.read(4))[0] - 4)
    if error:
        raise OSError(error.decode(errors="replace").replace("\0", " "))


if __name__ == "__main__":
    ask(sys.argv[1], timeout=60)
