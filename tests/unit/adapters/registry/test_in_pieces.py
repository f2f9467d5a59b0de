"""What a registry says arrives in pieces."""

import asyncio
import json

from berthmaster.adapters.registry import HttpRegistry

LAYERS = [{"digest": f"sha256:{number:064x}", "size": 1000} for number in range(40)]
MANIFEST = {"config": {"digest": f"sha256:{1:064x}", "size": 9}, "layers": LAYERS}
CONFIG = {"architecture": "amd64", "os": "linux", "history": ["x" * 100] * 50}


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    body = json.dumps(MANIFEST if b"/manifests/" in head else CONFIG).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n")
    writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode())
    for start in range(0, len(body), 1000):
        writer.write(body[start : start + 1000])
        await writer.drain()
        await asyncio.sleep(0.01)
    writer.close()


async def test_a_manifest_is_read_to_its_end() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        found = await HttpRegistry().describe(f"127.0.0.1:{port}/shop:v1", "amd64")
    assert found is not None
    assert (found.architectures, found.size_bytes) == (("amd64",), 40_000)
