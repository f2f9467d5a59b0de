"""The app that the scenarios deploy: web, worker, beat, migration or health check in one file.

Driven by the environment: ROLE, VERSION (baked in), GREETING, BROKEN. Standard library only, one
asyncio loop, so that an image is built in no time and a container starts in a quarter of a second.
"""

import asyncio
import base64
import contextlib
import hashlib
import os
import signal
import socket
import sys
import urllib.parse
import urllib.request

import postgres  # type: ignore[import-not-found]  # beside it in the image

VERSION = os.environ.get("VERSION", "none")
MIGRATION = os.environ.get("MIGRATION", "")  # SQL
BROKEN = os.environ.get("BROKEN", "")
NAME = socket.gethostname()
SLOW_SECONDS = 2.0
LIFE_SECONDS = 1.0  # of `dies_later`, from the first question about its health
stopping = asyncio.Event()
busy: set["asyncio.Task[None] | None"] = set()


async def web() -> None:
    """Answer until SIGTERM, then finish the requests in hand."""
    if BROKEN == "slow_start":
        await asyncio.sleep(SLOW_SECONDS)
    address = "127.0.0.1" if BROKEN == "localhost" else "0.0.0.0"
    port = 9000 if BROKEN == "wrong_port" else 8000
    server = await asyncio.start_server(serve, address, port, backlog=1024)
    await stopping.wait()
    server.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*filter(None, busy), return_exceptions=True), 8)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            task = asyncio.current_task()
            busy.add(task)
            try:
                await answer(head.decode("latin-1"), reader, writer)
            finally:
                busy.discard(task)
            if stopping.is_set():
                break
    writer.close()


async def answer(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    first, *lines = head.split("\r\n")
    headers = {key.lower(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    target = urllib.parse.urlsplit(first.split(" ")[1])
    query = dict(urllib.parse.parse_qsl(target.query))
    if refusal := refused(target.path, headers):
        await reply(writer, *refusal)
        return
    match target.path:
        case "/ws":
            await echo(headers.get("sec-websocket-key", ""), reader, writer)
            return
        case "/sse":
            await events(writer, int(query["count"]))
            return
        case "/sleep":
            await asyncio.sleep(float(query["seconds"]))
            text = f"slept {VERSION}"
        case "/health":
            text = "well"
        case "/version" | "/name":
            text = VERSION if target.path == "/version" else NAME
        case "/greeting":
            text = os.environ.get("GREETING", "")
        case "/rows":
            status, text = await rows(float(query.get("seconds", 2)))
            await reply(writer, status, text)
            return
        case "/secret":
            text = secret()
        case _:
            text = body.decode() or f"hello from {VERSION}"
    await reply(writer, "200 OK", text)


def refused(path: str, headers: dict[str, str]) -> tuple[str, str, str] | None:
    host = headers.get("host", "")
    if BROKEN == "dies_later" and path == "/health":
        asyncio.get_running_loop().call_later(LIFE_SECONDS, os._exit, 7)
    if BROKEN == "held" and path == "/health" and not os.path.exists("/tmp/go"):
        return "503 Service Unavailable", "not yet", ""
    if BROKEN == "error" and path == "/health":
        return "500 Internal Server Error", "no database", ""
    if BROKEN == "redirect":
        return "301 Moved Permanently", "", f"Location: https://{host}{path}\r\n"
    if BROKEN == "host":
        return "400 Bad Request", f"host {host} is not allowed", ""
    return None


async def reply(writer: asyncio.StreamWriter, status: str, text: str, more: str = "") -> None:
    connection = "Connection: close\r\n" if stopping.is_set() else ""
    head = f"HTTP/1.1 {status}\r\nX-Version: {VERSION}\r\nX-Name: {NAME}\r\n{more}{connection}"
    writer.write(f"{head}Content-Length: {len(text.encode())}\r\n\r\n{text}".encode())
    await writer.drain()


async def echo(key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What comes back says who answers, so that a held connection can be told apart."""
    proof = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    accept = base64.b64encode(proof).decode()
    writer.write(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    while data := await reader.read(1024):
        writer.write(f"{VERSION}:".encode() + data)
        await writer.drain()


async def events(writer: asyncio.StreamWriter, count: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    for number in range(count):
        writer.write(f"data: {VERSION} {number}\n\n".encode())
        await writer.drain()
        await asyncio.sleep(0.2)
    raise EOFError


async def rows(seconds: float) -> tuple[str, str]:
    """Well only while the table can be read, as an app that needs its database is."""
    try:
        await asyncio.to_thread(postgres.ask, "SELECT count(*) FROM rows", timeout=seconds)
    except OSError as error:
        return "503 Service Unavailable", f"no rows: {error}"
    return "200 OK", "rows"


def secret() -> str:
    """Who reads it, and with which mode it lies there."""
    path = "/run/secrets/token"
    with open(path) as file:
        content = file.read()
    return f"uid {os.getuid()} mode {os.stat(path).st_mode & 0o777:o} length {len(content)}"


class Redis:
    """As much of the protocol as the worker and the beat need."""

    async def connect(self) -> "Redis":
        self._reader, self._writer = await asyncio.open_connection("redis", 6379)
        return self

    async def ask(self, *words: str) -> str | None:
        parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        self._writer.write(f"*{len(words)}\r\n{parts}".encode())
        return await self._reply()

    async def _reply(self) -> str | None:
        line = (await self._reader.readuntil(b"\r\n")).decode().strip()
        if line[0] == "*":
            found = [await self._reply() for _ in range(max(0, int(line[1:])))]
            return found[-1] if found else None
        if line[0] != "$":
            return line[1:]
        if line == "$-1":
            return None
        return (await self._reader.readexactly(int(line[1:]) + 2)).decode()[:-2]


async def worker() -> None:
    """Take tasks from a list until told to stop; the one in hand is finished."""
    redis = await Redis().connect()
    while not stopping.is_set():
        task = await redis.ask("LPOP", "tasks")
        if task is not None:
            await redis.ask("RPUSH", "done", f"{VERSION} {task}")
        else:
            await asyncio.sleep(0.05)


async def beat() -> None:
    """Write who beats; two of them at once would be seen as a mixture."""
    redis = await Redis().connect()
    while not stopping.is_set():
        await redis.ask("RPUSH", "beats", f"{VERSION} {NAME}")
        await asyncio.sleep(0.05)


async def migrate() -> None:
    print(f"migrating to {VERSION}")
    if BROKEN == "migration":
        sys.exit("relation monitors does not exist")
    if MIGRATION:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, os._exit, 143)  # a thread would hold it up
        await asyncio.to_thread(postgres.ask, MIGRATION, timeout=60)


async def check() -> None:
    if BROKEN == "never_healthy":
        sys.exit("health check: the queue is not reachable")
    await asyncio.to_thread(ask_health)


def ask_health() -> None:
    urllib.request.urlopen("http://127.0.0.1:8000/health", timeout=2).close()


async def main(role: str) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if BROKEN == "crash":
        sys.exit("KeyError: 'DATABASE_URL'")
    if BROKEN == "exits_zero":
        sys.exit(0)
    print(f"{role} {VERSION} runs", flush=True)
    roles = {"web": web, "worker": worker, "beat": beat, "migrate": migrate, "check": check}
    work = asyncio.create_task(roles[role]())
    await asyncio.wait({work, asyncio.create_task(stopping.wait())}, return_when="FIRST_COMPLETED")
    # What waits for an answer of a queue that is gone would wait for ever.
    await asyncio.wait_for(work, 9 if role == "web" else 1)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ROLE", "web")))
