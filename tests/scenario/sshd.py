"""A real sshd on an engine's server, and a laptop that knows it: keys, host keys, one network.

The server is a network namespace with a `dockerd` and an `sshd` of its own (`engine.py`), joined to
the machine by a pair of virtual cards. The laptop is this process's own side, with its own folders.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.scenario.commands import Ended, end, start
from tests.scenario.engine import Engine, wait_for

VENV: Final = Path(sys.executable).parent
KEY_TYPE: Final = "ed25519"
LINKS: Final = "10.222"  # of these tests; each server has a /30 of it


@dataclass
class Far:
    """One server: engine, sshd, state folder, settings."""

    name: str
    number: int
    engine: Engine = field(default_factory=Engine)
    path: str = f"{VENV}:/usr/sbin:/usr/bin:/sbin:/bin"  # of who logs in
    variables: dict[str, str] = field(default_factory=dict)  # of who logs in
    _process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Path:
        return self.engine.root / "ssh"

    @property
    def state(self) -> Path:
        return self.engine.disk / "s"

    @property
    def address(self) -> str:
        return f"{LINKS}.{self.number}.2"

    @property
    def settings(self) -> Path:
        return self.root / "settings.toml"

    @property
    def authorized_keys(self) -> Path:
        return self.root / "authorized_keys"

    def start(self, images: Sequence[str] = ()) -> "Far":
        """Engine, network, keys, sshd."""
        self.engine.start(images)
        self.root.mkdir()
        self._join_network()
        self.settings.write_text(
            f'state_folder = "{self.state}"\naddress_block = "10.{200 + self.number}.0.0/16"\n'
            f'docker_host = "{self.engine.address}"\ndisk_floor_percent = 1\n'
            "[pool]\nbackends = 40\nservers = 4\n"
            '[[entrypoints]]\nname = "https"\nport = 8443\ntls = "local"\n'
            '[[entrypoints]]\nname = "plain"\nport = 8080\n'
        )
        make_key(self.root / "host")
        self.start_sshd()
        return self

    def start_sshd(self) -> None:
        """Start it, or start it anew with other keys or variables."""
        self.stop_sshd()
        Path("/run/sshd").mkdir(exist_ok=True)
        variables = {"PATH": self.path, "BERTHMASTER_SETTINGS": str(self.settings)}
        pairs = " ".join(
            f'"{key}={value}"' for key, value in {**variables, **self.variables}.items()
        )
        (self.root / "sshd_config").write_text(
            f"Port 22\nListenAddress {self.address}\nHostKey {self.root}/host\n"
            f"AuthorizedKeysFile {self.authorized_keys}\nStrictModes no\nUsePAM no\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f"PidFile {self.root}/pid\nSetEnv {pairs}\n"
        )
        self.authorized_keys.touch()
        with self.engine.network(), (self.root / "log").open("ab") as log:
            words = ["/usr/sbin/sshd", "-D", "-e", "-f", str(self.root / "sshd_config")]
            self._process = subprocess.Popen(words, stderr=log, stdin=subprocess.DEVNULL)
        wait_for(lambda: "listening on" in (self.root / "log").read_text(), 60, self.log)

    def stop_sshd(self) -> None:
        """End it and every connection to it; what runs for one of them is not touched."""
        if self._process is None:
            return
        for pid in (*children(self._process.pid), self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(10)
        self._process = None
        (self.root / "log").unlink()

    def cut(self) -> None:
        """End every connection at once, as a network that goes away does; sshd stays."""
        assert self._process is not None
        for pid in children(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def log(self) -> str:
        return (self.root / "log").read_text()

    async def berth(self, *words: str) -> Ended:
        """The command typed on the server itself."""
        variables = {"BERTHMASTER_SETTINGS": str(self.settings)}
        with self.engine.inside():
            process = await start(str(VENV / "berth"), *words, env=variables)
        return await end(process)

    def destroy(self) -> None:
        self.stop_sshd()
        subprocess.run(["ip", "link", "del", self.card], capture_output=True, check=False)
        self.engine.destroy()

    @property
    def card(self) -> str:
        return f"v{self.engine.name}"

    def _join_network(self) -> None:
        name, inner = self.engine.name, ["ip", "-netns", self.engine.name]
        pair = ["type", "veth", "peer", "name", "eth0", "netns", name]
        for words in (
            ["ip", "link", "add", self.card, *pair],
            ["ip", "addr", "add", f"{LINKS}.{self.number}.1/30", "dev", self.card],
            ["ip", "link", "set", self.card, "up"],
            [*inner, "addr", "add", f"{self.address}/30", "dev", "eth0"],
            [*inner, "link", "set", "eth0", "up"],
        ):
            subprocess.run(words, check=True, capture_output=True)


@dataclass
class Laptop:
    """A person's side: a key, ssh's configuration, the servers that are known."""

    root: Path
    key: str = "key"

    def __post_init__(self) -> None:
        self.root.mkdir(exist_ok=True)
        (self.root / "sockets").mkdir(mode=0o700, exist_ok=True)
        make_key(self.root / self.key)
        self.write_config()
        self.write_servers()

    @property
    def public_key(self) -> str:
        return (self.root / f"{self.key}.pub").read_text().strip()

    def write_config(self) -> None:
        (self.root / "config").write_text(
            f"Host *\n  IdentityFile {self.root / self.key}\n  IdentitiesOnly yes\n  User root\n"
            f"  UserKnownHostsFile {self.root}/user_known_hosts\n  ForwardAgent yes\n"
        )

    def write_servers(self, **servers: str) -> None:
        lines = [f'ssh_config = "{self.root}/config"']
        lines += [f'[servers.{name}]\naddress = "{at}"' for name, at in servers.items()]
        (self.root / "servers.toml").write_text("\n".join(lines) + "\n")

    def knows(self, *servers: Far) -> "Laptop":
        """Addresses, host keys, and our key on the other side."""
        hosts = [f"{one.address} {(one.root / 'host.pub').read_text()}" for one in servers]
        (self.root / "user_known_hosts").write_text("".join(hosts))
        self.write_servers(**{one.name: one.address for one in servers})
        for one in servers:
            with one.authorized_keys.open("a") as file:
                file.write(f"{self.public_key}\n")
        return self

    @property
    def variables(self) -> Mapping[str, str]:
        return {
            "BERTHMASTER_SERVERS": str(self.root / "servers.toml"),
            "BERTHMASTER_SETTINGS": str(self._settings),
            "XDG_RUNTIME_DIR": str(self.root / "sockets"),
        }

    @property
    def _settings(self) -> Path:
        path = self.root / "settings.toml"
        path.write_text(f'state_folder = "{self.root}/state"\n')
        return path

    async def berth(self, *words: str) -> Ended:
        return await end(await start(str(VENV / "berth"), *words, env=self.variables))

    async def leave(self) -> None:
        """End the shared connections and forget everything."""
        await self.hang_up()
        shutil.rmtree(self.root, ignore_errors=True)

    async def hang_up(self) -> None:
        """End the shared connections: the next command makes its own."""
        for socket in (self.root / "sockets").rglob("*"):
            if socket.is_socket():
                await end(await start("ssh", "-O", "exit", "-o", f"ControlPath={socket}", "x"))


def make_key(path: Path) -> None:
    if not path.exists():
        words = ["ssh-keygen", "-q", "-t", KEY_TYPE, "-N", "", "-C", path.name, "-f", str(path)]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def children(pid: int) -> list[int]:
    """sshd's own processes below this one, the deepest last; not what runs for a client."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for one in map(int, task.read_text().split()):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{one}/comm").read_text().startswith("sshd"):
                    found += [one, *children(one)]
    return found
