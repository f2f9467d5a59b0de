"""Answers each check after the seconds that its query names, and prints who asked for what when.

`/task/17?seconds=0.2` is answered once and never refused, so that an asker has no reason to ask
again. One line when a check arrives, one when it was answered; `whole` says that the asker was
still there. Standard library only.
"""

import asyncio
import contextlib
import json
import re
import signal
import sys
import time

QUESTION = re.compile(r"GET /task/(\d+)\?seconds=([0-9.]+) HTTP")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, EOFError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        if found := QUESTION.match(head):
            await answer(int(found[1]), float(found[2]), reader, writer)
    writer.close()


async def answer(
    task: int, seconds: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    asker, began = writer.get_extra_info("peername")[0], time.time()
    say(task=task, asker=asker, began=began)
    await asyncio.sleep(seconds)
    writer.write(ANSWER)
    say(task=task, asker=asker, began=began, ended=time.time(), whole=not reader.at_eof())


def say(**line: object) -> None:
    print(json.dumps(line), flush=True)


async def main() -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, sys.exit, 0)
    server = await asyncio.start_server(serve, "0.0.0.0", 9000, backlog=256)
    await server.serve_forever()


asyncio.run(main())
