"""A Docker Engine of a test's own in a network namespace of its own: another server.

It can be stopped, frozen, killed, rebooted and its disk filled without a neighbour noticing: data,
sockets, bridges, firewall, ports of loopback and routes are its own. `with engine.inside():` puts
the main thread, and every program that it starts, on that server. Several may start at the same
time, in threads of their own. Never touches the machine's own engine but to copy images out of it.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

IMAGES: Final = tuple(
    f"berthmaster/{name}" for name in ("python:3.11", "haproxy:2.6", "caddy:2.6", "registry:2")
)
CLONE_NEWNET: Final = 0x40000000  # sched.h
START_SECONDS: Final = 60.0
# Without live-restore the engine gives each container its own time to stop, ten seconds by default.
STOP_SECONDS: Final = 60.0
_OWN_NAMESPACE: Final = Path("/proc/thread-self/ns/net")


@dataclass
class Engine:
    """One dockerd; `start` and `stop` may alternate, `destroy` ends it and removes all it made.

    `size` puts state and images on a file system of that size (`300m`), so that it can be filled.
    """

    name: str = field(default_factory=lambda: f"bt{uuid.uuid4().hex[:6]}")
    live_restore: bool = False
    size: str | None = None
    root: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="be-")))
    _process: subprocess.Popen[bytes] | None = None
    _is_networked: bool = False

    @property
    def socket(self) -> Path:
        return self.root / "docker.sock"

    @property
    def address(self) -> str:
        """What `DOCKER_HOST` must be."""
        return f"unix://{self.socket}"

    @property
    def disk(self) -> Path:
        """The file system of this server: images, and room for a state folder."""
        return self.root / "disk"

    @property
    def pid(self) -> int:
        """Of dockerd; fails when it does not run."""
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        return self._process.pid

    def start(self, images: Sequence[str] = ()) -> "Engine":
        """Start dockerd and wait until it answers; `images` are copied from the machine's own."""
        self._make_network()
        self._make_disk()
        (self.root / "run").mkdir(exist_ok=True)
        with self.network(), (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )
        wait_for(self.answers, START_SECONDS, self.log)
        self.load(images)
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End dockerd, as an upgrade does or, with `SIGKILL`, a crash.

        Containers end with it unless `live_restore` keeps them.
        """
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
        self._process.wait(STOP_SECONDS)
        self._process = None
        self._end_containerd()

    def reboot(self, *, before_start: Callable[[], None] = lambda: None) -> None:
        """Everything ends at once and comes back in Docker's own order.

        As at a boot the firewall is empty; what the kernel keeps of networks goes with it.
        """
        pids = self.process_ids()
        self.stop(signal.SIGKILL)
        for pid in {*pids, *self.process_ids()}:
            _kill(pid)
        wait_for(lambda: not self.process_ids(), STOP_SECONDS)
        self._unmount_containers()
        self._forget_network()
        before_start()
        self.start()

    def freeze(self) -> None:
        """Stop dockerd from doing anything, as a machine without memory or disk does."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def answers(self) -> bool:
        """Whether dockerd answers now."""
        assert self._process is None or self._process.poll() is None, self.log()
        words = ["docker", "--host", self.address, "version", "--format", "{{.Server.Version}}"]
        with contextlib.suppress(subprocess.TimeoutExpired):
            return (
                subprocess.run(words, capture_output=True, timeout=5, check=False).returncode == 0
            )
        return False

    def load(self, images: Sequence[str]) -> None:
        """Copy images from the machine's engine; the archive is kept for the run."""
        if not images:
            return
        with subprocess.Popen(
            ["docker", "--host", _own_engine(), "save", *images], stdout=subprocess.PIPE
        ) as save:
            words = ["docker", "--host", self.address, "load", "--quiet"]
            subprocess.run(words, stdin=save.stdout, capture_output=True, check=True)
        assert save.returncode == 0, f"docker save {' '.join(images)}"

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Be on this server: its network, its engine. Programs started meanwhile are, too.

        For the main thread: all threads share the environment. Two that went in side by side would
        each put back what it had found, and the later one the address of a server long gone.
        """
        assert threading.current_thread() is threading.main_thread(), "network() is for threads"
        before = os.environ.get("DOCKER_HOST")
        with self.network():
            os.environ["DOCKER_HOST"] = self.address
            try:
                yield
            finally:
                os.environ.pop("DOCKER_HOST", None)
                if before is not None:
                    os.environ["DOCKER_HOST"] = before

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Have the calling thread, and programs that it starts, on this server's network only."""
        own = os.open(_OWN_NAMESPACE, os.O_RDONLY)
        try:
            _enter(Path("/run/netns") / self.name)
            yield
        finally:
            _set_namespace(own)
            os.close(own)

    def docker(self, *words: str, seconds: float = 60.0) -> str:
        """Ask this engine something; its output."""
        ended = subprocess.run(
            ["docker", "--host", self.address, *words],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert ended.returncode == 0, f"docker {' '.join(words)}: {ended.stderr}"
        return ended.stdout.strip()

    def process_ids(self) -> set[int]:
        """All processes of this server's engine: containerd, shims and what runs in containers."""
        found = set[int]()
        for top in self._cgroups():
            for folder, _, _ in os.walk(top):
                with contextlib.suppress(OSError):
                    found |= set(map(int, (Path(folder) / "cgroup.procs").read_text().split()))
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                if _is_of(entry, self.root):
                    found.add(int(entry.name))
        return found

    def _cgroups(self) -> list[Path]:
        """Of each hierarchy, or of the one of version 2."""
        top = Path("/sys/fs/cgroup")
        found = [top / self.name, *(item / self.name for item in top.iterdir() if item.is_dir())]
        return [path for path in found if path.is_dir()]

    def log(self) -> str:
        """The end of what dockerd said."""
        path = self.root / "log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def fill(self, *, leave_bytes: int = 0) -> Path:
        """Use up the disk of a server that was made with a `size`."""
        assert self.size, "only a disk of its own is filled"
        ballast, free = self.disk / "ballast", os.statvfs(self.disk)
        left = free.f_bavail * free.f_frsize - leave_bytes
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while left > 0:
                left -= file.write(b"\0" * min(2**16, left))
        return ballast

    def destroy(self) -> None:
        """End it and take away what it made, whatever happened before."""
        with contextlib.suppress(subprocess.TimeoutExpired, AssertionError):
            self.stop(signal.SIGKILL)
        for pid in self.process_ids():
            _kill(pid)
        self._unmount_containers()
        self._remove_network()
        for path in (self.disk / "docker", self.disk):
            subprocess.run(["umount", "--lazy", str(path)], capture_output=True, check=False)
        shutil.rmtree(self.root, ignore_errors=True)
        for top in self._cgroups():
            for inner, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(inner)

    def _command(self) -> list[str]:
        data = self.disk / "docker"
        words = ["dockerd", "--data-root", str(data), "--exec-root", str(self.root / "run")]
        words += ["--pidfile", str(self.root / "docker.pid"), "--host", self.address]
        words += ["--cgroup-parent", f"/{self.name}", "--log-level", "warn"]
        return [*words, "--live-restore"] if self.live_restore else words

    def _make_network(self) -> None:
        if self._is_networked:
            return
        _run("ip", "netns", "add", self.name)
        _run("ip", "-netns", self.name, "link", "set", "lo", "up")
        self._is_networked = True

    def _forget_network(self) -> None:
        """What a kernel that has just started does not know: rules, bridges, their routes."""
        with self.network():
            for table in ("filter", "nat", "mangle", "raw"):
                for option in ("--flush", "--delete-chain"):
                    _run("iptables", "--table", table, option)
            for kind in ("veth", "bridge"):
                links = _run("ip", "-brief", "link", "show", "type", kind).splitlines()
                for link in links:
                    name = link.split()[0].partition("@")[0]
                    subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)

    def _remove_network(self) -> None:
        if self._is_networked:
            subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)
            self._is_networked = False

    def _make_disk(self) -> None:
        if self.disk.exists():
            return
        self.disk.mkdir()
        if self.size:
            # A file system in a file: overlays need one with extended attributes below them.
            image = self.root / "disk.img"
            _run("truncate", "-s", self.size, str(image))
            _run("mkfs.ext4", "-q", "-m", "0", "-N", "80000", str(image))
            _run("mount", "-o", "loop", str(image), str(self.disk))

    def _end_containerd(self) -> None:
        """dockerd ends its containerd; one that was killed leaves it, and its socket, behind."""
        path = self.root / "run/containerd/containerd.pid"
        with contextlib.suppress(OSError, ValueError):
            pid = int(path.read_text())
            if self.root.as_posix() in Path(f"/proc/{pid}/cmdline").read_text():
                _kill(pid)
        path.unlink(missing_ok=True)
        (self.root / "docker.pid").unlink(missing_ok=True)

    def _unmount_containers(self) -> None:
        """The deepest first; of this server's folders only."""
        lines = Path("/proc/self/mounts").read_text().splitlines()
        points = [line.split()[1] for line in lines]
        own = [item for item in points if item.startswith(f"{self.root}/")]
        keep = {str(self.disk), str(self.disk / "docker")}
        for point in sorted(set(own) - keep, key=len, reverse=True):
            subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)


def wait_for(condition: Callable[[], object], seconds: float, log: Callable[[], str] = str) -> None:
    """Wait until it is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in {seconds:g} s\n{log()}"
        time.sleep(0.05)


def _own_engine() -> str:
    """The machine's own, whatever `DOCKER_HOST` says now."""
    return os.environ.get("BERTHMASTER_TEST_ENGINE", "unix:///var/run/docker.sock")


def _enter(namespace: Path) -> None:
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        _set_namespace(descriptor)
    finally:
        os.close(descriptor)


def _set_namespace(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns comes with Python 3.12
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _run(*words: str) -> str:
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{' '.join(words)}: {ended.stderr}"
    return ended.stdout


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _is_of(entry: Path, root: Path) -> bool:
    """Whether a process is containerd or a shim of this server, by the folder it was given."""
    program, *words = (entry / "cmdline").read_text(errors="replace").split("\0")
    return "containerd" in program and any(word.startswith(f"{root}/") for word in words)
