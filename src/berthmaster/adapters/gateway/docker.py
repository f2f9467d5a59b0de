"""Router, ask responder and edge as containers that the Docker Engine restarts.

A changed configuration is written, checked in a throwaway container and taken over by a reload;
only a changed image or mount makes a container anew. The table is the router's business.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import aiodocker
import aiohttp

from berthmaster.adapters.caddy import config as caddy
from berthmaster.adapters.gateway import process
from berthmaster.adapters.gateway.applied import ConfigFile
from berthmaster.adapters.gateway.asking import write_package
from berthmaster.adapters.gateway.containers import Containers
from berthmaster.adapters.gateway.errors import ConfigurationRefused, ProcessDidNotStart
from berthmaster.adapters.gateway.process import GatewayOptions, Process
from berthmaster.adapters.haproxy import config as haproxy
from berthmaster.adapters.haproxy.errors import RouterUnavailable
from berthmaster.adapters.haproxy.layout import Layout
from berthmaster.adapters.haproxy.pages import render_pages
from berthmaster.adapters.haproxy.record import RecordFiles, write_atomically
from berthmaster.adapters.haproxy.runtime import Runtime
from berthmaster.adapters.haproxy.status import ask_answers, edge_answers
from berthmaster.domain.routing import TAKEOVER_FILE, Entrypoint, Tls
from berthmaster.domain.takeover import (
    Takeover,
    parse_takeover,
    render_takeover,
    with_takeover,
)

_START_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.05

Reload = Callable[[Containers], Awaitable[None]]


class DockerGateway:
    """`GatewayProcesses` over the Docker Engine.

    `folder` is the gateway's; sites are beside it in `sites/`. `docker` makes a client for each
    call. Raises `RuntimeUnavailable` when the engine does not answer, `ImageNotFound` without the
    images.
    """

    def __init__(
        self,
        folder: Path,
        options: GatewayOptions | None = None,
        docker: Callable[[], aiodocker.Docker] = aiodocker.Docker,
    ) -> None:
        self._layout = Layout(folder)
        self._options = options or GatewayOptions()
        self._docker = docker
        self._router = process.router_process(self._layout, self._options)
        self._edge = process.edge_process(self._layout, self._options)
        self._ask_name = f"{self._options.name_prefix}ask"
        self._runtime = Runtime(self._layout)

    async def plan(self, entrypoints: Sequence[Entrypoint]) -> tuple[str, ...]:
        """What `up` would do."""
        configs = zip((self._router, self._edge), self._configs(entrypoints), strict=True)
        async with self._docker() as client:
            containers = Containers(client)
            lines = [await _intent(containers, wanted, config) for wanted, config in configs]
        return tuple(line for line in lines if line)

    async def up(self, entrypoints: Sequence[Entrypoint]) -> tuple[str, ...]:
        """Bring all to these entrypoints; a line for each that was started, reloaded, replaced."""
        self._prepare_folders()
        router, edge = self._configs(entrypoints)
        await self._restore_files()
        async with self._docker() as client:
            containers = Containers(client)
            lines = [
                await self._bring_up(containers, self._router, router, self._reload_router),
                await self._bring_up_ask(containers, entrypoints),
                await self._bring_up(containers, self._edge, edge, self._reload_edge),
            ]
            await containers.retire(self._router, process.STOP_SECONDS)
        return tuple(line for line in lines if line)

    async def down(self) -> None:
        """Stop and remove all; requests in flight get 30 s. Files and certificates stay."""
        async with self._docker() as client:
            containers = Containers(client)
            await containers.remove(self._edge.name, process.STOP_SECONDS)
            await containers.remove(self._ask_name, 0)
            await containers.remove(self._router.name, process.STOP_SECONDS)

    async def images(self, entrypoints: Sequence[Entrypoint]) -> tuple[str, ...]:
        """Names of the images that they run from; raises `ImageNotFound`."""
        wanted = [self._router, self._edge]
        if any(item.tls is not Tls.OFF for item in entrypoints):
            place = self._layout.folder  # where its code lies makes no difference here
            wanted.append(process.ask_process(self._layout, self._options, place, entrypoints))
        async with self._docker() as client:
            containers = Containers(client)
            found = [await containers.with_image(item) for item in wanted]
        return tuple(item.image for item, _ in found)

    def takeover(self) -> Takeover | None:
        """As the file beside the configuration says."""
        try:
            return parse_takeover(self._takeover_file.read_text())
        except FileNotFoundError:
            return None

    async def take(self, takeover: Takeover | None, entrypoints: Sequence[Entrypoint]) -> None:
        """Write the file and bring both to it; one that is refused puts the last file back."""
        before = self.takeover()
        self._write_takeover(takeover)
        try:
            await self.up(entrypoints)
            if takeover is None:
                await self._reload_edge(is_forced=True)
        except BaseException:
            self._write_takeover(before)
            raise

    @property
    def _takeover_file(self) -> Path:
        return self._layout.folder / TAKEOVER_FILE

    def _write_takeover(self, takeover: Takeover | None) -> None:
        if takeover is None:
            self._takeover_file.unlink(missing_ok=True)
        else:
            write_atomically(self._takeover_file, render_takeover(takeover))

    def _configs(self, entrypoints: Sequence[Entrypoint]) -> tuple[ConfigFile, ConfigFile]:
        layout, options = self._layout, self._options
        entrypoints = with_takeover(entrypoints, self.takeover())
        paths = process.edge_paths(layout)
        mark = layout.mark.read_text() if layout.mark.exists() else ""
        here = replace(_for_this_host(options.router), mark=mark)
        router = haproxy.render_config(layout, entrypoints, here)
        edge = caddy.render_config(paths, entrypoints, options.edge)
        return (
            ConfigFile(layout.config, router, depends_on=repr(options.pool)),
            ConfigFile(layout.edge_config, edge),
        )

    def _prepare_folders(self) -> None:
        layout = self._layout
        folders = ("haproxy/maps", "haproxy/pages", "caddy/data", "caddy/imported", "ask")
        for folder in folders:
            (layout.folder / folder).mkdir(parents=True, exist_ok=True)
        layout.sites.mkdir(parents=True, exist_ok=True)
        layout.run.mkdir(exist_ok=True)
        for private in (layout.run, layout.caddy, layout.ask):
            os.chmod(private, 0o700)
        for name, page in render_pages().items():
            write_atomically(layout.page(name), page)
        if not layout.mark.exists():
            write_atomically(layout.mark, os.urandom(16).hex())

    async def _restore_files(self) -> None:
        """Make maps and pool what the record says: a truncated one is never started from."""
        files = RecordFiles(self._layout, self._options.pool)
        async with files.locked():
            files.save(files.load())

    async def _bring_up(
        self, containers: Containers, wanted: Process, config: ConfigFile, reload: Reload
    ) -> str:
        wanted, image_id = await containers.with_image(wanted)
        is_running = await containers.is_running(wanted, image_id)
        if is_running and config.is_applied:
            return ""
        old = config.write()
        try:
            await self._check(containers, wanted)
            if is_running:
                await reload(containers)
                line = f"the {wanted.kind} was reloaded"
            else:
                line = await self._make_anew(containers, wanted)
                await self._note_version(containers, wanted)
        except BaseException:
            config.put_back(old)
            raise
        config.mark_applied()
        return line

    async def _make_anew(self, containers: Containers, wanted: Process) -> str:
        is_up = await containers.is_up(wanted)
        if is_up and wanted.shares_ports:
            await self._hand_over(containers, wanted)
            return f"the {wanted.kind} was replaced by {wanted.image} beside it: no port was closed"
        began = time.monotonic()
        await containers.remove(wanted.name, process.STOP_SECONDS)
        await containers.start(wanted)
        await self._await_answer(containers, wanted, self._answers(wanted))
        if not is_up:
            return f"the {wanted.kind} was started from {wanted.image}"
        gap = time.monotonic() - began
        return f"the {wanted.kind} was replaced by {wanted.image}: it was away for {gap:.1f} s"

    async def _hand_over(self, containers: Containers, wanted: Process) -> None:
        """The new one listens on the same ports before the old one stops to.

        Its runtime socket takes the old one's place, so the file tells them apart.
        """
        before = _identity(self._layout.admin_socket)
        await containers.set_aside(wanted)

        async def is_new() -> bool:
            is_other = _identity(self._layout.admin_socket) not in (None, before)
            return is_other and await self._worker() is not None

        try:
            await containers.start(wanted)
            await self._await_answer(containers, wanted, is_new)
        except BaseException:
            await containers.put_back(wanted)
            raise
        await containers.retire(wanted, process.STOP_SECONDS)

    async def _bring_up_ask(self, containers: Containers, entrypoints: Sequence[Entrypoint]) -> str:
        """The ask responder, where something has certificates."""
        if all(item.tls is Tls.OFF for item in entrypoints):
            await containers.remove(self._ask_name, 0)
            return ""
        package = write_package(self._layout)
        wanted = process.ask_process(self._layout, self._options, package, entrypoints)
        wanted, image_id = await containers.with_image(wanted)
        if await containers.is_running(wanted, image_id):
            return ""
        await containers.remove(wanted.name, 0)
        await containers.start(wanted)
        await self._await_answer(containers, wanted, self._answers(wanted))
        return f"the {wanted.kind} responder was started from {wanted.image}"

    async def _check(self, containers: Containers, wanted: Process) -> None:
        code, output = await containers.run_once(wanted, wanted.check)
        if code != 0:
            raise ConfigurationRefused(wanted.kind, output)

    async def _note_version(self, containers: Containers, wanted: Process) -> None:
        if wanted.version:
            _, output = await containers.run_once(wanted, wanted.version)
            version = (output.split() or [""])[0].removeprefix("v")
            write_atomically(self._layout.edge_version, f"{version}\n")

    async def _reload_router(self, containers: Containers) -> None:
        """The old worker hands its sockets over and ends when its requests do."""
        before = await self._worker()
        await containers.signal(self._router.name, "SIGUSR2")
        if not await _until(lambda: self._is_other_worker(before)):
            raise ProcessDidNotStart("router", await containers.logs(self._router.name))

    async def _reload_edge(
        self, containers: Containers | None = None, *, is_forced: bool = False
    ) -> None:
        """Idle connections are closed; a forced one closes them though nothing changed."""
        status, text = await _post_config(
            self._layout.edge_admin_socket,
            self._layout.edge_config.read_text(),
            is_forced=is_forced,
        )
        if status != 200:
            logs = await containers.logs(self._edge.name) if containers and not text else text
            raise ConfigurationRefused("edge", logs)

    async def _await_answer(
        self, containers: Containers, wanted: Process, answers: Callable[[], Awaitable[bool]]
    ) -> None:
        if await _until(answers):
            return
        logs = await containers.logs(wanted.name)
        await containers.remove(wanted.name, 0)  # the engine would restart it for ever
        raise ProcessDidNotStart(wanted.kind, logs)

    def _answers(self, wanted: Process) -> Callable[[], Awaitable[bool]]:
        if wanted.kind == self._router.kind:
            return lambda: self._is_other_worker(None)
        if wanted.kind == "ask":
            return lambda: ask_answers(self._layout)
        return lambda: edge_answers(self._layout)

    async def _is_other_worker(self, before: str | None) -> bool:
        now = await self._worker()
        return now is not None and now != before

    async def _worker(self) -> str | None:
        """The process that takes requests; each reload makes another."""
        try:
            return (await self._runtime.info()).get("Pid")
        except RouterUnavailable:
            return None


async def _intent(containers: Containers, wanted: Process, config: ConfigFile) -> str:
    """What becomes of one of the two, in words; empty when nothing does."""
    wanted, image_id = await containers.with_image(wanted)
    if await containers.is_running(wanted, image_id):
        return "" if config.is_applied else f"{wanted.kind}: reload; nothing is closed"
    if not await containers.is_up(wanted):
        return f"{wanted.kind}: start from {wanted.image}"
    what = f"{wanted.kind}: replace what runs by {wanted.image}"
    if wanted.shares_ports:
        return f"{what}, beside it; nothing is closed, requests in flight have 30 s to end"
    gap = "new connections are refused for about 2 s"
    return f"{what}; {gap}, longer while requests in flight end, at most 30 s"


def _identity(socket: Path) -> int | None:
    try:
        return socket.stat().st_ino
    except OSError:
        return None


def _for_this_host(options: haproxy.RouterOptions) -> haproxy.RouterOptions:
    """Without IPv6 in the kernel a bind to `[::]` would keep the router from starting."""
    return replace(options, has_ipv6=options.has_ipv6 and Path("/proc/net/if_inet6").exists())


async def _post_config(socket: Path, content: str, *, is_forced: bool = False) -> tuple[int, str]:
    """Load a configuration; Caddy keeps the old one when it does not like it."""
    # NOTE: on its socket Caddy 2.6 takes requests without a host only.
    headers = {"Content-Type": "application/json", "Host": ""}
    if is_forced:
        headers["Cache-Control"] = "must-revalidate"
    try:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session:
            url = "http://localhost/load"
            async with session.post(url, data=content.encode(), headers=headers) as answer:
                return answer.status, (await answer.text())[:2000]
    except (aiohttp.ClientError, OSError) as error:
        raise ProcessDidNotStart("edge", str(error)) from error


async def _until(condition: Callable[[], Awaitable[bool]]) -> bool:
    """Whether it came true within the time that a start may take."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_SECONDS
    while loop.time() < deadline:
        if await condition():
            return True
        await asyncio.sleep(_POLL_SECONDS)
    return False
