"""A double of a mail server: takes every mail, sends none, shows what came.

SMTP as far as Django needs it, on one port; on the other a page for people, `/mails` for programs and `/healthz`.
The standard library only.

    python double.py [--smtp-port 1025] [--port 8025]
"""

import argparse
import asyncio
import html
import json
from collections import deque
from email import message_from_bytes, policy
from http import HTTPStatus

KEPT = 200  # mails; older ones are forgotten
LONGEST = 1_000_000  # bytes of a mail
_mails: deque[dict[str, str]] = deque(maxlen=KEPT)


async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One client that sends mail."""
    recipients: list[str] = []
    await _say(writer, "220 ready")
    while line := await reader.readline():
        word = line.decode(errors="replace").strip()
        command = word.upper()
        if command.startswith("RCPT TO:"):
            recipients.append(word[8:].strip().strip("<>"))
        elif command == "DATA":
            await _say(writer, "354 go on")
            _keep(await _until_the_dot(reader), recipients)
            recipients = []
        elif command == "QUIT":
            await _say(writer, "221 bye")
            break
        await _say(writer, "250 ok")
    writer.close()


async def show(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One client that looks."""
    path = (await reader.readline()).decode(errors="replace").split(" ")[1:2]
    while (await reader.readline()).strip():
        pass
    status, kind, text = _answer(path[0] if path else "")
    body = text.encode()
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    await writer.drain()
    writer.close()


def _answer(path: str) -> tuple[HTTPStatus, str, str]:
    if path == "/healthz":
        return HTTPStatus.OK, "text/plain", "ok"
    if path == "/mails":
        return HTTPStatus.OK, "application/json", json.dumps(list(_mails))
    if path == "/":
        return HTTPStatus.OK, "text/html; charset=utf-8", _page()
    return HTTPStatus.NOT_FOUND, "text/plain", "not found"


def _page() -> str:
    shown = [{name: html.escape(text) for name, text in mail.items()} for mail in reversed(_mails)]
    rows = "".join(f"<h2>{it['subject']}</h2><p>to {it['to']}</p><pre>{it['text']}</pre>" for it in shown)
    style = "body{font:16px/1.5 system-ui;max-width:44rem;margin:3rem auto}pre{white-space:pre-wrap}"
    return f"<!doctype html><meta charset=utf-8><title>Mails</title><style>{style}</style>{rows or '<p>No mail yet.'}"


async def _until_the_dot(reader: asyncio.StreamReader) -> bytes:
    lines = []
    while (line := await reader.readline()) not in {b"", b".\r\n"}:
        lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
    return b"".join(lines)[:LONGEST].replace(b"\r\n", b"\n")


def _keep(raw: bytes, recipients: list[str]) -> None:
    mail = message_from_bytes(raw, policy=policy.default)
    body = mail.get_body(("plain", "html"))
    text = body.get_content() if body else ""
    _mails.append({"to": ", ".join(recipients), "subject": str(mail["subject"] or ""), "text": text})
    print(f"mail to {', '.join(recipients)}: {mail['subject']}", flush=True)


async def _say(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(f"{text}\r\n".encode())
    await writer.drain()


async def main() -> None:
    """Listen until told to end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - in a container
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--port", type=int, default=8025)
    given = parser.parse_args()
    mail = await asyncio.start_server(take, given.host, given.smtp_port)
    page = await asyncio.start_server(show, given.host, given.port)
    async with mail, page:
        await asyncio.gather(mail.serve_forever(), page.serve_forever())


if __name__ == "__main__":
    asyncio.run(main())
