"""What quick commands import of ours, as text: each module costs every run; `--update-golden`.

The store, its release and the router's socket are there, so that a name is added to its end.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests import builders

from berthmaster.adapters.clock import SystemClock
from berthmaster.adapters.haproxy.layout import Layout
from berthmaster.adapters.store import SqliteStore
from berthmaster.domain.names import StackId
from berthmaster.domain.release import ReleaseRoute, Upstream
from berthmaster.settings import PATH_VARIABLE

GOLDEN = Path(__file__).parent / "imports/domain_add.txt"
STACK = StackId("shop", "prod")
BLOCK = "10.201.0.0/16"
WORDS = ("domain", "add", "prod", "acme.shop.test", "--tenant", "acme")
FOREIGN = ("aiohttp", "aiodocker", "pydantic", "cryptography", "rich", "ruamel", "dns", "secrets")
PROGRAM = f"""\
import sys
from berthmaster.cli.main import main
code = main(sys.argv[1:])
kept = [name for name in sys.modules if name.startswith("berthmaster.") or name in {FOREIGN}]
print(*sorted(kept), sep="\\n", file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture
def state() -> Iterator[Path]:
    """Not `tmp_path`: a socket's path is short."""
    with tempfile.TemporaryDirectory(prefix="berth-") as name:
        yield Path(name)


def test_adding_a_domain_imports_no_more_than_it_did(state: Path) -> None:
    folder = _app(state)
    with _router(Layout(state / "gateway")):
        first, second = (_imports(folder, state) for _ in range(2))
    assert "pydantic" in first  # berth.yaml was new to it
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text("".join(f"{name}\n" for name in second))
    assert second == GOLDEN.read_text().splitlines()


def _imports(folder: Path, state: Path) -> list[str]:
    """The modules that were there when the command ended, ours and what is heavy."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, "-C", str(folder), *WORDS],
        env={**os.environ, PATH_VARIABLE: str(state / "settings.toml")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["acme.shop.test", "is", "routed", "to", "acme"]
    return [line for line in ended.stderr.splitlines() if " " not in line]


def _app(state: Path) -> Path:
    """A pooled app whose release the store believes to be live."""
    folder = state / "shop"
    folder.mkdir()
    (folder / "compose.yaml").write_text("services: {web: {image: x}}\n")
    (folder / "berth.yaml").write_text(
        "app: shop\nroutes: [{path: /, service: web, port: 8000}]\n"
        "tenancy: {mode: pool, domain: shop.test}\nenvironments: {prod: {entrypoint: https}}\n"
    )
    (state / "settings.toml").write_text(f'state_folder = "{state}"\naddress_block = "{BLOCK}"\n')
    store = SqliteStore(state / "store.db", block=BLOCK, clock=SystemClock())
    store.add_stack(STACK, str(folder))
    route = ReleaseRoute("/", "web", (Upstream("web", "127.0.0.1", 8000),))
    store.add_release(replace(builders.release(1, routes=(route,)), stack=STACK))
    lease = store.acquire_lease(str(STACK), holder="test", seconds=60)
    store.mark_live(STACK, 1, old=None, warm_until=None, fence=lease.fence)
    store.release_lease(lease)
    store.close()
    return folder


@contextlib.contextmanager
def _router(layout: Layout) -> Iterator[None]:
    """A runtime socket that keeps one map, as HAProxy answers."""
    layout.admin_socket.parent.mkdir(parents=True)
    loop, hosts = asyncio.new_event_loop(), dict[str, str]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for command in (await reader.readline()).decode().strip().split(";"):
            match command.split():
                case ["add", "map", _, key, value]:
                    hosts[key] = value
                case ["get", "map", _, key] if key in hosts:
                    writer.write(f'found=yes, key="{key}", value="{hosts[key]}"\n'.encode())
        writer.write(b"\n")
        writer.close()

    server = asyncio.start_unix_server(answer, str(layout.admin_socket))
    loop.run_until_complete(server)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
