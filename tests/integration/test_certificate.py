"""Reading the certificate that a server shows, whoever signed it."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from berthmaster.adapters.http import AiohttpProber

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(2026, 4, 1, tzinfo=datetime.UTC)


def signed_by_itself(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    names = [x509.DNSName("shop.test"), x509.DNSName("*.shop.test")]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, BEGIN, END)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@asynccontextmanager
async def serving(file: Path) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_names_issuer_and_times_are_read_of_any_certificate(tmp_path: Path) -> None:
    async with serving(signed_by_itself(tmp_path)) as port:
        found = await AiohttpProber().certificate(
            "127.0.0.1", port, "shop.test", timeout_seconds=10
        )
    assert found.error == ""
    assert found.names == ("shop.test", "*.shop.test")
    assert found.issuer == "CN=a test"
    assert (found.begins_at, found.ends_at) == (BEGIN, END)


async def test_what_speaks_no_tls_says_why() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello, I am no TLS server\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        found = await AiohttpProber().certificate(
            "127.0.0.1", port, "shop.test", timeout_seconds=10
        )
    assert found.error
    assert found.names == ()
