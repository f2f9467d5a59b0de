"""The far side of `berth -S` over two pipes: what a liar gets, and what an honest client gets."""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from berthmaster.adapters.ssh import wire as frames
from berthmaster.adapters.ssh.serving import Serving
from berthmaster.adapters.ssh.trees import SentTrees
from berthmaster.adapters.ssh.wire import Wire, WireClosed
from berthmaster.domain.elsewhere import Request, SentFile, render_request
from berthmaster.domain.errors import NotAllowed

VERSION = "0.1.0"
CONTENT = b"services: {}\n"
FILE = SentFile("compose.yaml", 0o640, sha256(CONTENT).hexdigest(), len(CONTENT))


class Far:
    """Allows `tell` and knows no stack; a told command prints where it is."""

    def __init__(self) -> None:
        self.used: frozenset[str] = frozenset()

    def command_of(self, request: Request) -> str:
        if request.arguments[:1] not in (("tell",), ("logs",)):
            raise NotAllowed("not this")
        return request.arguments[0]

    def used_folders(self) -> frozenset[str]:
        return self.used

    def bring_images(self, wire: Wire, request: Request, folder: Path) -> None:
        raise AssertionError("nobody asked for images")

    def run(self, request: Request, folder: Path | None) -> int:
        content = (folder / "compose.yaml").read_text() if folder else "nothing"
        print(content, end="", flush=True)
        os.write(2, b"to stderr")
        if len(request.arguments) > 1:  # wait to be let go, and leave a trace
            gate = Path(request.arguments[1])
            gate.read_bytes()
            gate.with_name("done").touch()
        return 7


@dataclass
class Client:
    """Speaks to a serving side in a thread of its own."""

    wire: Wire
    folder: Path
    thread: threading.Thread

    def asks(self, *words: str, files: tuple[SentFile, ...] = (FILE,), **more: Any) -> None:
        request = Request(VERSION, words, "anna@laptop", files)
        self.wire.send(frames.REQUEST, render_request(replace(request, **more)))

    def needed(self) -> list[str]:
        assert self.wire.receive()[0] == frames.HELLO
        kind, body = self.wire.receive()
        assert kind == frames.NEEDED, body
        return frames.strings(body)

    def refusal(self) -> dict[str, Any]:
        while True:
            kind, body = self.wire.receive()
            assert kind in (frames.HELLO, frames.NEEDED, frames.FAILED)
            if kind == frames.FAILED:
                return frames.mapping(body)

    def ended(self) -> tuple[str, str, int]:
        said = {frames.OUT: b"", frames.ERR: b""}
        while True:
            kind, body = self.wire.receive()
            if kind == frames.ENDED:
                return said[frames.OUT].decode(), said[frames.ERR].decode(), int(body)
            if kind != frames.BEGUN:
                said[kind] += body

    def goes_away(self) -> None:
        os.close(self.wire.write_to)
        self.wire.write_to = os.open(os.devnull, os.O_WRONLY)

    def left(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
def client(tmp_path: Path, far: Far) -> Iterator[Client]:
    (their_read, our_write), (our_read, their_write) = os.pipe(), os.pipe()
    serving = Serving(Wire(their_read, their_write), far, SentTrees(tmp_path))

    def serve() -> None:
        serving.serve()
        os.close(their_write)

    thread = threading.Thread(target=serve)
    thread.start()
    client = Client(Wire(our_read, our_write), tmp_path, thread)
    try:
        yield client
    finally:
        client.goes_away()
        thread.join(60)
        os.close(our_read)
        os.close(their_read)
        assert not thread.is_alive()


def test_a_command_runs_in_the_folder_that_was_sent(client: Client) -> None:
    client.asks("tell")
    assert client.needed() == [FILE.digest]
    client.wire.send(frames.BLOB, CONTENT[:5])
    client.wire.send(frames.BLOB, CONTENT[5:])
    assert client.ended() == (CONTENT.decode(), "to stderr", 7)
    (app,) = client.folder.glob("sent/trees/*/app")
    assert (app / "compose.yaml").stat().st_mode & 0o777 == FILE.mode
    assert app.stat().st_mode & 0o777 == 0o700


def test_what_the_server_has_is_not_sent_again(client: Client) -> None:
    SentTrees(client.folder)
    (client.folder / "sent/blobs").mkdir(parents=True)
    (client.folder / "sent/blobs" / FILE.digest).write_bytes(CONTENT)
    client.asks("tell")
    assert client.needed() == []
    assert client.ended()[2] == 7


def test_a_content_that_is_not_what_was_announced_is_thrown_away(client: Client) -> None:
    client.asks("tell")
    client.needed()
    client.wire.send(frames.BLOB, b"x" * len(CONTENT))
    refused = client.refusal()
    assert (refused["exit_code"], "not what was announced" in refused["message"]) == (2, True)
    assert client.left() == ["sent", "sent/blobs"]


def test_a_content_that_is_longer_than_announced_is_refused(client: Client) -> None:
    client.asks("tell")
    client.needed()
    client.wire.send(frames.BLOB, CONTENT + b"more")
    assert "longer" in client.refusal()["message"]


def test_a_frame_of_the_wrong_kind_ends_the_conversation(client: Client) -> None:
    client.asks("tell")
    client.needed()
    client.wire.send(frames.INPUT, b"x")
    with pytest.raises(WireClosed):
        client.refusal()


def test_a_frame_of_four_gigabytes_is_not_waited_for(client: Client) -> None:
    os.write(client.wire.write_to, frames.HEAD.pack(frames.REQUEST, 2**32 - 1))
    with pytest.raises(WireClosed):
        client.refusal()


def test_a_command_that_is_not_allowed_writes_nothing(client: Client) -> None:
    client.asks("destroy", "prod")
    assert client.refusal() == {"message": "not this", "exit_code": 2, "next_command": None}
    assert client.left() == []


def test_another_version_is_refused_before_its_request_is_read(client: Client) -> None:
    body = json.dumps({"protocol": 99, "version": "9.0.0", "arguments": {"not": "ours"}})
    client.wire.send(frames.REQUEST, body.encode())
    assert client.refusal()["next_command"] == "berth server upgrade SERVER"


@pytest.mark.parametrize(("command", "goes_on"), [("tell", True), ("logs", False)])
def test_when_the_client_is_gone_a_change_goes_on_and_a_look_ends(
    client: Client, command: str, goes_on: bool
) -> None:
    gate = client.folder / "gate"
    os.mkfifo(gate)
    client.asks(command, str(gate), files=())
    assert client.needed() == []
    client.wire.receive()  # it runs
    client.goes_away()
    if goes_on:
        gate.write_bytes(b"go")
    client.thread.join(60)
    assert (client.folder / "done").exists() is goes_on


def test_two_folders_with_the_same_files_are_one(client: Client, far: Far) -> None:
    trees = SentTrees(client.folder)
    request = Request(VERSION, ("tell",), "a@b", (FILE,))
    trees.take(FILE, lambda most: CONTENT[:most])
    first = trees.place(request, far.used_folders)
    assert trees.place(replace(request, actor="c@d"), far.used_folders) == first


def test_folders_and_contents_that_nobody_uses_go_after_a_week(tmp_path: Path) -> None:
    trees = SentTrees(tmp_path)
    old, used, new = (Request(VERSION, (), "a@b", (FILE,), facts={"revision": r}) for r in "abc")
    trees.take(FILE, lambda most: CONTENT[:most])
    folders = [trees.place(one, frozenset) for one in (old, used)]
    for folder in folders:
        os.utime(folder.parent, (0, 0))
    last = trees.place(new, lambda: frozenset({str(folders[1])}))
    assert [folder.is_dir() for folder in (*folders, last)] == [False, True, True]


def test_a_link_is_made_and_never_followed(tmp_path: Path) -> None:
    trees = SentTrees(tmp_path)
    request = Request(VERSION, (), "a@b", (FILE, SentFile("now", link="compose.yaml")))
    trees.take(FILE, lambda most: CONTENT[:most])
    folder = trees.place(request, frozenset)
    assert os.readlink(folder / "now") == "compose.yaml"
    assert (folder / "now").read_bytes() == CONTENT
