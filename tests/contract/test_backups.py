"""The backups port: one suite for the in-memory twin and for restic, in a folder and over ssh."""

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.apart import free_ports
from tests.scenario.server import is_open, until

from berthmaster.adapters.restic import ResticBackups, parse_target
from berthmaster.domain.backup import Copy, CopyKind
from berthmaster.domain.errors import OutsideError
from berthmaster.ports.backups import Backups
from berthmaster.testing.backups import FakeBackups, FakeRepository

MOTO = shutil.which("moto_server")
NOW = datetime(2026, 3, 2, tzinfo=UTC)
WHOLE = Copy("", CopyKind.WHOLE, NOW, ("sha256:1",), "/state/now")


@dataclass
class Place:
    """A target, reached by any number of servers; `own` is a folder to save."""

    target: str
    own: Path
    repository: FakeRepository | None = None
    program: str = "restic"

    def server(self, name: str = "one") -> Backups:
        if self.repository is not None:
            return FakeBackups(self.repository)
        return ResticBackups(parse_target(self.target), self.own.parent / name)


@pytest.fixture(
    params=[
        "twin",
        pytest.param("folder", marks=pytest.mark.docker),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    own = tmp_path / "own"
    own.mkdir()
    is_twin = request.param == "twin"
    return Place(str(tmp_path / "target"), own, FakeRepository() if is_twin else None)


@contextlib.contextmanager
def sshd(folder: Path) -> Iterator[int]:
    """A real sshd on loopback with keys of its own; `ssh` in PATH knows its host key."""
    (port,) = free_ports(1)
    for name in ("host", "user"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(words, check=True)
    keys = Path(tempfile.mkdtemp(dir="/root", prefix=".bt-"))  # sshd wants its parents closed
    shutil.copy(folder / "user.pub", keys / "authorized")
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "config").write_text(
        f"IdentityFile {folder}/user\nUserKnownHostsFile {folder}/known\nUser root\n"
    )
    shim = folder / "bin" / "ssh"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {folder}/config "$@"\n')
    shim.chmod(0o755)
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{shim.parent}:{path}"
    Path("/run/sshd").mkdir(exist_ok=True)
    options = {
        "HostKey": folder / "host",
        "AuthorizedKeysFile": keys / "authorized",
        "PidFile": "none",
        "PermitRootLogin": "prohibit-password",
        "ListenAddress": "127.0.0.1",
        "Subsystem": "sftp internal-sftp",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    command = ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", str(port), *words]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()
        os.environ["PATH"] = path
        shutil.rmtree(keys)


async def test_what_was_saved_comes_back_with_owner_and_mode(place: Place, tmp_path: Path) -> None:
    (place.own / "deep").mkdir()
    (place.own / "deep/file").write_bytes(b"\0content")
    backups = place.server()
    await backups.prepare()
    saved = await backups.save(WHOLE, [place.own], [])
    into = tmp_path / "into"
    await backups.extract(saved.id, str(place.own), into)
    assert (into / "deep/file").read_bytes() == b"\0content"
    assert await backups.read(saved.id, str(place.own / "deep/file")) == b"\0content"
    (copy,) = await backups.copies()
    assert (copy.kind, copy.images, copy.folder) == (WHOLE.kind, WHOLE.images, WHOLE.folder)


async def test_what_a_killed_backup_still_writes_is_waited_for(place: Place) -> None:
    """It holds the target's lock; the twin has none."""
    backups, is_released = place.server(), asyncio.Event()
    await backups.prepare()
    saved = await backups.save(WHOLE, [place.own], [])

    async def chunks() -> AsyncIterator[bytes]:
        yield b"half"
        await is_released.wait()

    image = replace(WHOLE, kind=CopyKind.IMAGE)
    saving = asyncio.create_task(backups.save_stream(image, chunks()))
    locks = Path(place.target) / "locks"
    if place.repository is None:
        await until(lambda: any(locks.glob("*")))
    forgetting = asyncio.create_task(backups.forget([saved.id]))
    await asyncio.wait({forgetting}, timeout=4.0)
    assert forgetting.done() is (place.repository is not None)
    is_released.set()
    await asyncio.gather(saving, forgetting)
    assert [item.kind for item in await backups.copies()] == [CopyKind.IMAGE]


async def test_equal_contents_are_written_once(place: Place) -> None:
    (place.own / "file").write_bytes(secrets.token_bytes(500_000))
    backups = place.server()
    await backups.prepare()
    first = await backups.save(WHOLE, [place.own], [])
    (place.own / "small").write_text("more")
    second = await backups.save(WHOLE, [place.own], [])
    assert first.bytes_added > 500_000 or first.bytes_added == 500_000
    assert second.bytes_added < 50_000


async def test_what_is_excluded_is_not_in_it(place: Place) -> None:
    (place.own / "store.db").write_text("living")
    (place.own / "file").write_text("kept")
    backups = place.server()
    await backups.prepare()
    saved = await backups.save(WHOLE, [place.own], [place.own / "store.db"])
    with pytest.raises(OutsideError):
        await backups.read(saved.id, str(place.own / "store.db"))
    assert await backups.read(saved.id, str(place.own / "file")) == b"kept"


async def test_a_stream_comes_back_and_one_that_breaks_leaves_nothing(place: Place) -> None:
    backups = place.server()
    await backups.prepare()
    image = Copy("", CopyKind.IMAGE, NOW, ("sha256:1",))
    saved = await backups.save_stream(image, _chunks())
    assert b"".join([chunk async for chunk in backups.stream(saved.id)]) == b"one two"
    with pytest.raises(OutsideError, match="broke"):
        await backups.save_stream(image, _chunks(breaks=True))
    assert len(await backups.copies()) == 1


async def _chunks(*, breaks: bool = False) -> AsyncIterator[bytes]:
    yield b"one "
    if breaks:
        raise OutsideError("it broke", subject="image")
    yield b"two"


async def test_another_server_opens_it_with_the_code_and_with_nothing_else(place: Place) -> None:
    (place.own / "file").write_text("x")
    backups = place.server()
    code = await backups.prepare()
    assert code is not None
    await backups.save(WHOLE, [place.own], [])
    other = place.server("other")
    other.use(code)
    assert len(await other.copies()) == 1
    wrong = place.server("wrong")
    wrong.use("-".join(["WRONG"] * 8))
    with pytest.raises(OutsideError):
        await wrong.copies()


async def test_a_forgotten_copy_is_gone_and_the_others_are_whole(place: Place) -> None:
    (place.own / "file").write_text("x")
    backups = place.server()
    await backups.prepare()
    first = await backups.save(WHOLE, [place.own], [])
    await backups.save(WHOLE, [place.own], [])
    await backups.forget([first.id])
    assert len(await backups.copies()) == 1
    assert await backups.check() == ()


async def test_a_folder_that_is_not_there_is_no_backup(place: Place) -> None:
    backups = place.server()
    await backups.prepare()
    with pytest.raises(OutsideError):
        await backups.save(WHOLE, [place.own, place.own / "gone"], [])


@pytest.mark.docker
async def test_a_changed_byte_in_the_target_is_found_by_file(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "target"), tmp_path / "own")
    place.own.mkdir()
    (place.own / "file").write_bytes(secrets.token_bytes(100_000))
    backups = place.server()
    await backups.prepare()
    saved = await backups.save(WHOLE, [place.own], [])
    pack = max((tmp_path / "target/data").rglob("*"), key=lambda item: item.stat().st_size)
    pack.chmod(0o600)
    content = bytearray(pack.read_bytes())
    content[50_000] ^= 1
    pack.write_bytes(content)
    assert any(f"data/{pack.name[:2]}/{pack.name}" in line for line in await backups.check())
    with pytest.raises(OutsideError, match="restoring"):
        await backups.extract(saved.id, str(place.own), tmp_path / "into")
    assert not (tmp_path / "into/file").exists()


@pytest.mark.docker
async def test_the_code_lies_where_only_root_reads_it(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "target"), tmp_path / "own")
    code = await place.server().prepare()
    assert code is not None
    path = tmp_path / "one/code"
    assert (path.read_text().strip(), path.stat().st_mode & 0o777) == (code, 0o600)
    assert code not in "".join(
        item.read_bytes().decode(errors="replace")
        for item in (tmp_path / "target").rglob("*")
        if item.is_file()
    )


@pytest.mark.docker
async def test_another_machine_over_ssh_keeps_backups(tmp_path: Path) -> None:
    with sshd(tmp_path) as port:
        await until(lambda: is_open(port))
        await _keeps_backups(Place(f"ssh://127.0.0.1:{port}{tmp_path}/target", tmp_path / "own"))


@pytest.mark.docker
@pytest.mark.skipif(not MOTO, reason="no S3 server here: pip install 'moto[server]'")
async def test_storage_with_the_interface_of_s3_keeps_backups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "two")
    with moto(port):
        await until(lambda: is_open(port))
        await _keeps_backups(Place(f"s3:http://127.0.0.1:{port}/bucket/web1", tmp_path / "own"))


@contextlib.contextmanager
def moto(port: int) -> Iterator[None]:
    """An S3 server in memory, on loopback."""
    words = [str(MOTO), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


async def _keeps_backups(place: Place) -> None:
    place.own.mkdir()
    (place.own / "file").write_bytes(b"\0content")
    backups = place.server()
    await backups.prepare()
    saved = await backups.save(WHOLE, [place.own], [])
    streamed = await backups.save_stream(Copy("", CopyKind.IMAGE, NOW, ("i",)), _chunks())
    await backups.extract(saved.id, str(place.own), place.own.parent / "into")
    assert (place.own.parent / "into/file").read_bytes() == b"\0content"
    assert b"".join([chunk async for chunk in backups.stream(streamed.id)]) == b"one two"
    await backups.forget([streamed.id])
    assert [item.id for item in await backups.copies()] == [saved.id[:8]]
    assert await backups.check() == ()
