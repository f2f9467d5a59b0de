"""What the router's benches pass requests to: an HAProxy that answers 200 bytes from memory."""

from pathlib import Path
from typing import Final

from tests.scenario.commands import docker

IMAGE: Final = "berthmaster/haproxy:2.6"
TEXT: Final = """\
global
    nbthread 1
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 5s
frontend all
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain string "{body}"
"""


async def start_backend(name: str, folder: Path, port: int, label: str = "bench") -> None:
    """Start it in the host's network; whoever starts it removes the container."""
    file = folder / "backend.cfg"
    file.write_text(TEXT.format(port=port, body="x" * 200))
    await docker(
        *("run", "--detach", "--name", name, "--label", f"berthmaster.test={label}"),
        *("--network", "host", "--volume", f"{file}:/backend.cfg:ro", IMAGE),
        *("haproxy", "-W", "-db", "-f", "/backend.cfg"),
    )
