"""What is in flight at a switch ends where it began."""

import asyncio

import pytest
from tests.scenario.dsl import App, MakeApp
from tests.scenario.server import until

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("environment", ["prod", "stage"])
async def test_requests_streams_and_sockets_outlive_a_switch(
    app: MakeApp, environment: str
) -> None:
    shop = app("web", environment)
    await shop.deploy("v1")
    socket = await open_socket(shop)
    long_request = asyncio.create_task(shop.ask("/sleep?seconds=10"))
    stream = asyncio.create_task(shop.ask("/sse?count=40"))
    deploy = asyncio.create_task(shop.deploy("v2"))
    await until(lambda: is_answered_by(shop, "v2"))
    assert await say(socket, b"still there") == b"v1:still there"
    socket[1].close()
    assert (await long_request).text == "slept v1"
    events = (await stream).text
    assert "data: v1 39" in events
    assert "v2" not in events
    await deploy


async def is_answered_by(shop: App, version: str) -> bool:
    return (await shop.ask()).version == version


async def open_socket(shop: App) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Upgrade a connection; the app echoes with its version in front."""
    reader, writer = await shop.connect()
    more = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    more += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    writer.write(shop.request("/ws", more=more))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101"), head
    assert await say((reader, writer), b"hello") == b"v1:hello"
    return reader, writer


async def say(socket: tuple[asyncio.StreamReader, asyncio.StreamWriter], text: bytes) -> bytes:
    reader, writer = socket
    writer.write(text)
    return await asyncio.wait_for(reader.readexactly(len(text) + 3), 10)
