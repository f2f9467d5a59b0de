"""Images that no registry has, from one engine to another: only the layers that are lacking there.

Both ends use the `docker` command. The near side takes an archive apart; the far side builds a new
one of what was announced, without any name in it, and gives the image the one name that it asked
for itself: whoever sends cannot replace another image. The engine checks each layer's hash.
"""

import json
import re
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, Any, Final

from berthmaster.adapters.ssh import wire as frames
from berthmaster.adapters.ssh.wire import Wire, WireClosed
from berthmaster.domain.errors import OutsideError

_DIFF_ID: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
_MOST_LAYERS: Final = 200
_LONGEST_CONFIG: Final = 4 << 20
_SECONDS: Final = 60.0
_LOAD_SECONDS: Final = 1800.0
Told = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Announced:
    """An image as its sender describes it."""

    reference: str
    config: str
    layers: tuple[tuple[str, int], ...]  # diff id and size of each, from the bottom

    @property
    def diff_ids(self) -> list[str]:
        return [name for name, _ in self.layers]


# --- the near side ---


def send_wanted(wire: Wire, body: bytes, told: Told) -> None:
    """Answer which of the wanted images are here, and send what the server then asks for."""
    wanted = frames.mapping(body)
    with tempfile.TemporaryDirectory(prefix="berth-images-") as folder:
        archives = {}
        for number, (reference, there) in enumerate(sorted(wanted.items())):
            if _local_id(reference) not in (None, there):
                path = f"{folder}/{number}.tar"
                _docker("image", "save", "--output", path, reference, seconds=_LOAD_SECONDS)
                archives[reference] = _Archive(path, reference)
        wire.send_json(frames.IMAGES, [one.described() for one in archives.values()])
        while True:
            asked = frames.mapping(wire.expect(frames.LACKING))
            if asked.get("reference") not in archives:
                return
            archives[str(asked["reference"])].send_from(wire, int(asked["from"]), told)


class _Archive:
    """What `docker image save` wrote."""

    def __init__(self, path: str, reference: str) -> None:
        self._tar = tarfile.open(path)  # noqa: SIM115 - as long as its folder
        self._reference = reference
        (manifest,) = json.loads(self._member("manifest.json").read())
        self._config = self._member(manifest["Config"]).read().decode()
        self._paths: list[str] = manifest["Layers"]
        self._diff_ids: list[str] = json.loads(self._config)["rootfs"]["diff_ids"]
        self._sizes = [self._tar.getmember(path).size for path in self._paths]

    def described(self) -> dict[str, Any]:
        """As it is announced."""
        layers = [list(pair) for pair in zip(self._diff_ids, self._sizes, strict=True)]
        return {"reference": self._reference, "config": self._config, "layers": layers}

    def send_from(self, wire: Wire, first: int, told: Told) -> None:
        """The content of the layers from this one on."""
        total, done = sum(self._sizes[first:]), 0
        for path in self._paths[first:]:
            with self._member(path) as layer:
                while data := layer.read(frames.CHUNK):
                    wire.send(frames.LAYER, zlib.compress(data, 1))
                    done += len(data)
                    told(self._reference, done, total)
        told(self._reference, total, total)

    def _member(self, name: str) -> IO[bytes]:
        found = self._tar.extractfile(name)
        if found is None:
            raise OutsideError(f"{self._reference}: docker saved no {name}", subject="docker")
        return found


def _local_id(reference: str) -> str | None:
    words = ["docker", "image", "inspect", "--format", "{{.Id}}", reference]
    try:
        ended = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.strip() if ended.returncode == 0 else None


# --- the far side ---


def take_wanted(wire: Wire, wanted: Mapping[str, str], docker_host: str) -> None:
    """Ask for images (with the ids that are here) and load what the client has of them."""
    if not wanted:
        return
    wire.send_json(frames.WANTED, dict(wanted))
    for image in parse_announced(wire.expect(frames.IMAGES), wanted):
        first = _present(image, docker_host)
        try:
            _load(wire, image, first, docker_host)
        except OutsideError:
            if first == 0:
                raise
            _load(wire, image, 0, docker_host)  # an engine that wants every layer in the archive
    wire.send_json(frames.LACKING, {"reference": "", "from": 0})


def parse_announced(body: bytes, wanted: Mapping[str, str]) -> list[Announced]:
    """What the client offers; raises `OutsideError` for what was not asked for."""
    try:
        rows = json.loads(body)
        if not isinstance(rows, list):
            raise TypeError("no list")
        found = [
            Announced(
                str(row["reference"]),
                str(row["config"]),
                tuple((str(name), int(size)) for name, size in row["layers"]),
            )
            for row in rows
        ]
        for image in found:
            _check(image, wanted)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise OutsideError("the client describes no image", subject="ssh") from error
    return found


def _check(image: Announced, wanted: Mapping[str, str]) -> None:
    if image.reference not in wanted:
        raise ValueError("nobody asked for it")
    if len(image.config) > _LONGEST_CONFIG or len(image.layers) > _MOST_LAYERS:
        raise ValueError("it is too large")
    if any(not _DIFF_ID.match(name) or size < 0 for name, size in image.layers):
        raise ValueError("a layer has no hash or size")
    if json.loads(image.config)["rootfs"]["diff_ids"] != image.diff_ids:
        raise ValueError("its layers are not those of its configuration")


def _present(image: Announced, docker_host: str) -> int:
    """How many layers from the bottom some image here has, too."""
    ids = _docker("image", "ls", "--quiet", "--no-trunc", host=docker_host).split()
    if not ids:
        return 0
    words = ("image", "inspect", "--format", "{{json .RootFS.Layers}}", *sorted(set(ids)))
    best = 0
    for line in _docker(*words, host=docker_host).splitlines():
        same = 0
        for ours, theirs in zip(json.loads(line) or (), image.diff_ids, strict=False):
            if ours != theirs:
                break
            same += 1
        best = max(best, same)
    return best


def _load(wire: Wire, image: Announced, first: int, docker_host: str) -> None:
    wire.send_json(frames.LACKING, {"reference": image.reference, "from": first})
    with subprocess.Popen(
        ["docker", "--host", docker_host, "image", "load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as loading:
        assert loading.stdin is not None  # noqa: S101 - a pipe was asked for
        try:
            _write_archive(wire, image, first, loading.stdin)
            said, _ = loading.communicate(timeout=_LOAD_SECONDS)
        except subprocess.TimeoutExpired as error:
            loading.kill()
            what = f"{image.reference} was not loaded within {_LOAD_SECONDS:g} s"
            raise OutsideError(what, subject="docker", retryable=True) from error
        except BaseException:
            loading.kill()
            raise
    loaded = re.search(rb"sha256:[0-9a-f]{64}", said)
    if loading.returncode or not loaded:
        last = (said.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
        raise OutsideError(
            f"{image.reference} could not be loaded: {last[:300]}", subject=image.reference
        )
    found = loaded[0].decode()
    layers = _docker(
        "image", "inspect", "--format", "{{json .RootFS.Layers}}", found, host=docker_host
    )
    if json.loads(layers) != image.diff_ids:
        raise OutsideError(f"{image.reference} did not arrive whole", subject=image.reference)
    _docker("image", "tag", found, image.reference, host=docker_host)


def _write_archive(wire: Wire, image: Announced, first: int, out: IO[bytes]) -> None:
    """A new archive of what comes; an engine that gives up early still gets its layers read."""
    config = image.config.encode()
    name = f"{sha256(config).hexdigest()}.json"
    paths = [f"{diff_id[7:]}/layer.tar" for diff_id in image.diff_ids]
    manifest = json.dumps([{"Config": name, "RepoTags": None, "Layers": paths}]).encode()
    sink = _Sink(out)
    for path, data in (("manifest.json", manifest), (name, config)):
        sink.write(_header(path, len(data)) + data + _padding(len(data)))
    for path, (_, size) in list(zip(paths, image.layers, strict=True))[first:]:
        sink.write(_header(path, size))
        for data in _received(wire, size):
            sink.write(data)
        sink.write(_padding(size))
    sink.write(b"\0" * 1024)
    sink.close()


class _Sink:
    """A pipe whose reader may have gone: what went wrong is told by the reader."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._is_broken = False

    def write(self, data: bytes) -> None:
        try:
            if not self._is_broken:
                self._out.write(data)
        except OSError:
            self._is_broken = True

    def close(self) -> None:
        try:
            self._out.flush()
        except OSError:
            self._is_broken = True


def _received(wire: Wire, size: int) -> Iterator[bytes]:
    left = size
    while left:
        unpacking = zlib.decompressobj()
        try:
            data = unpacking.decompress(wire.expect(frames.LAYER), frames.CHUNK)
        except zlib.error as error:
            raise WireClosed from error
        if not 0 < len(data) <= left or unpacking.unconsumed_tail:
            raise WireClosed
        left -= len(data)
        yield data


def _header(path: str, size: int) -> bytes:
    item = tarfile.TarInfo(path)
    item.size = size
    return item.tobuf()


def _padding(size: int) -> bytes:
    return b"\0" * (-size % tarfile.BLOCKSIZE)


def _docker(*words: str, host: str | None = None, seconds: float = _SECONDS) -> str:
    there = ("--host", host) if host else ()
    try:
        ended = subprocess.run(
            ["docker", *there, *words], capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutsideError(f"docker does not run: {error}", subject="docker") from error
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise OutsideError(f"docker {words[1]}: {last[:300]}", subject="docker")
    return ended.stdout
