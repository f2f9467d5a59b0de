"""The edge's certificates as files, its log, and the ask responder's state.

What Caddy ordered lies under `data/certificates/<issuer>/<name>/`. Imported pairs lie in a folder
that its static configuration names; a new one needs the only reload that a certificate ever needs,
of the edge alone and with the same configuration.
"""

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from berthmaster.adapters.ask import table
from berthmaster.adapters.caddy.errors import EdgeMisconfigured
from berthmaster.adapters.haproxy.layout import Layout
from berthmaster.adapters.haproxy.record import write_atomically
from berthmaster.domain.errors import NotAllowed, OutsideError, RuntimeUnavailable
from berthmaster.domain.names import check_host
from berthmaster.ports.certificates import AppQuestion, Asking, HeldCertificate, last_errors

_SECONDS: Final = 10.0
_WILDCARD: Final = "wildcard_."  # how Caddy's folders spell `*.`

ReadLog = Callable[[], Awaitable[str]]


class EdgeCertificates:
    """`ports.certificates.Certificates` over the gateway's folder; `read_log` gives the edge's."""

    def __init__(self, folder: Path, read_log: ReadLog) -> None:
        self._layout = Layout(folder)
        self._read_log = read_log

    def held(self) -> tuple[HeldCertificate, ...]:
        ordered = sorted(self._layout.certificates.glob("*/*/*.crt"))
        imported = sorted(self._layout.imported.glob("*.pem"))
        found = [_held(path, is_imported=False) for path in ordered]
        found += [_held(path, is_imported=True) for path in imported]
        return tuple(sorted((item for item in found if item), key=lambda item: item.host))

    def forget(self, hosts: Iterable[str]) -> tuple[str, ...]:
        gone = []
        for host in hosts:
            name = check_host(host).replace("*.", _WILDCARD)
            folders = list(self._layout.certificates.glob(f"*/{name}"))
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)
            gone += [host] if folders else []
        return tuple(gone)

    def check_pair(self, certificate: Path, key: Path, now: datetime) -> HeldCertificate:
        chain, private = _read(certificate), _read(key)
        _check_fits(chain, private, certificate, key)
        found = _parsed(chain, is_imported=True)
        if found is None or not found.names:
            raise NotAllowed(f"{certificate} names no host", next_command="openssl x509 -text")
        if found.ends_at <= now:
            raise NotAllowed(f"{certificate} ended on {found.ends_at:%Y-%m-%d}")
        return found

    async def take(self, certificate: Path, key: Path, now: datetime) -> HeldCertificate:
        found = self.check_pair(certificate, key, now)
        bundle = _read(certificate).rstrip() + b"\n" + _read(key).rstrip() + b"\n"
        write_atomically(self._imported(found.host), bundle.decode())
        await self._reload()
        return found

    async def drop(self, host: str) -> bool:
        path = self._imported(check_host(host))
        if not path.exists():
            return False
        path.unlink()
        await self._reload()
        return True

    async def asking(self) -> Asking | None:
        answer = await _get(self._layout.ask_socket, "GET", "/state", b"")
        if answer is None or answer[0] != 200:
            return None
        data = json.loads(answer[1])
        return Asking(dict(data["decisions"]), dict(data["orders"]), tuple(data["alerts"]))

    async def errors(self) -> Mapping[str, str]:
        try:
            log = await self._read_log()
        except RuntimeUnavailable:
            raise
        except OutsideError:  # there is no edge, which has refused nobody then
            return {}
        lines = []
        for line in log.splitlines():
            start = line.find("{")
            try:
                lines.append(json.loads(line[start:]) if start >= 0 else {})
            except ValueError:
                continue
        return last_errors([line for line in lines if isinstance(line, dict)])

    def tell_apps(self, questions: Mapping[str, AppQuestion]) -> bool:
        told = {
            project: table.AppQuestion(item.path, item.host, item.entrypoint)
            for project, item in questions.items()
        }
        if not told and not self._layout.ask_apps.exists():
            return False
        return write_atomically(self._layout.ask_apps, table.write_apps(told))

    def _imported(self, host: str) -> Path:
        return self._layout.imported / f"{host.replace('*.', _WILDCARD)}.pem"

    async def _reload(self) -> None:
        """The same configuration again, which makes Caddy read its files; down is fine."""
        if not self._layout.edge_admin_socket.exists():
            return
        config = self._layout.edge_config.read_bytes()
        answer = await _get(self._layout.edge_admin_socket, "POST", "/load", config)
        if answer is not None and answer[0] != 200:
            raise EdgeMisconfigured(f"the edge did not take it: {answer[1][:300]}")


async def _get(socket: Path, method: str, path: str, body: bytes) -> tuple[int, str] | None:
    """One HTTP request over a unix socket; None when nobody answers."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost:\r\nContent-Type: application/json\r\n"
        f"Cache-Control: must-revalidate\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    try:
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(head.encode() + body)
                first = await reader.readuntil(b"\r\n\r\n")
                length = _length(first)
                text = await (reader.readexactly(length) if length is not None else reader.read())
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return None
    return int(first.split(b" ", 2)[1]), text.decode(errors="replace")


def _length(head: bytes) -> int | None:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotAllowed(f"{path} cannot be read: {os.strerror(error.errno or 0)}") from error


def _check_fits(chain: bytes, private: bytes, certificate: Path, key: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    try:
        shown = x509.load_pem_x509_certificate(chain).public_key()
        own: Any = load_pem_private_key(private, password=None)
    except (ValueError, TypeError) as error:
        raise NotAllowed(f"{certificate} or {key} is no PEM file: {error}") from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if shown.public_bytes(*form) != own.public_key().public_bytes(*form):
        raise NotAllowed(f"{key} is not the key of {certificate}")


def _held(path: Path, *, is_imported: bool) -> HeldCertificate | None:
    try:
        return _parsed(path.read_bytes(), is_imported=is_imported)
    except (OSError, ValueError):
        return None


def _parsed(pem: bytes, *, is_imported: bool) -> HeldCertificate | None:
    from berthmaster.adapters.http.x509 import parse_pem

    found = parse_pem(pem)
    if not found.names or found.begins_at is None or found.ends_at is None:
        return None
    return HeldCertificate(
        found.names[0], found.names, found.issuer, found.begins_at, found.ends_at, is_imported
    )
