"""Sets a user's password as the hash that the server would keep, so that no log can show it.

`psql`'s own `\\password` does the same. The hash is SCRAM-SHA-256 (RFC 5802, RFC 7677), which every
PostgreSQL since 10 takes, also where `pg_hba.conf` still says `md5`.
"""

import base64
import hashlib
import hmac
import os
import stringprep
import tempfile
import unicodedata
from pathlib import Path
from typing import Final

from berthmaster.adapters.postgres.server import Server, connection, identifier, literal

ITERATIONS: Final = 4096  # the server's own default
_SALT_BYTES: Final = 16


async def set_password(server: Server, password: str) -> None:
    """Change the password of the server's own user, over a private file and the socket."""
    text = f"ALTER ROLE {identifier(server.user)} PASSWORD {literal(verifier(password))};\n"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:  # mode 0600
        script.write(text)
        script.flush()
        await server.run(
            "psql",
            *("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", connection("template1")),
            source=Path(script.name),
        )


def verifier(password: str, salt: bytes | None = None) -> str:
    """`SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, as the server keeps it."""
    salt = os.urandom(_SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", _prepared(password).encode(), salt, ITERATIONS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    stored = hashlib.sha256(client).digest()
    parts = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}"


def _prepared(password: str) -> str:
    """SASLprep (RFC 4013) as the server does it: what it forbids is taken as it is."""
    if password.isascii():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in password
        if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    return normal if normal and not any(map(_is_forbidden, normal)) else password


def _is_forbidden(char: str) -> bool:
    return any(
        table(char)
        for table in (
            stringprep.in_table_a1,
            stringprep.in_table_c12,
            stringprep.in_table_c21_c22,
            stringprep.in_table_c3,
            stringprep.in_table_c4,
            stringprep.in_table_c5,
            stringprep.in_table_c6,
            stringprep.in_table_c7,
            stringprep.in_table_c8,
            stringprep.in_table_c9,
        )
    )
