"""Builds the outside world from the settings and runs a command in it.

The only place that knows which adapter stands behind which port. Each is made at its first use, so
that heavy libraries (aiohttp, aiodocker, cryptography, pydantic) are imported by the command that
needs them: `berth status` pays for none.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from berthmaster.domain.errors import Interrupted, InvalidSpec, OutsideError
from berthmaster.domain.routing import Tls
from berthmaster.engine.lease import person
from berthmaster.ports.notifier import Nobody
from berthmaster.ports.outside import Outside
from berthmaster.settings import PATH_VARIABLE, Settings, settings_path

if TYPE_CHECKING:
    from berthmaster.adapters.gateway import DockerGateway
    from berthmaster.domain.container import Container
    from berthmaster.ports.backups import Backups, EngineData
    from berthmaster.ports.certificates import Certificates
    from berthmaster.ports.clock import Clock
    from berthmaster.ports.compose import Compose
    from berthmaster.ports.databases import Databases
    from berthmaster.ports.files import ReleaseFiles
    from berthmaster.ports.firewall import Firewall
    from berthmaster.ports.gateway import GatewayProcesses
    from berthmaster.ports.host import Host
    from berthmaster.ports.notifier import Notifier
    from berthmaster.ports.prober import Prober
    from berthmaster.ports.registry import Registry
    from berthmaster.ports.router import Router
    from berthmaster.ports.runtime import Runtime
    from berthmaster.ports.secretfiles import SecretFiles
    from berthmaster.ports.snapshots import Snapshots
    from berthmaster.ports.specs import Specs
    from berthmaster.ports.store import Store
    from berthmaster.ports.units import Units
    from berthmaster.ports.vault import Vault
    from berthmaster.services.back_up_server import Installation

if TYPE_CHECKING:
    from berthmaster.adapters.ssh.asking import Asked
    from berthmaster.adapters.ssh.catalogue import Catalogue
    from berthmaster.adapters.ssh.serving import FarSide
    from berthmaster.adapters.ssh.system import SystemSsh
    from berthmaster.domain.domainpolicy import Outline
    from berthmaster.domain.elsewhere import ServerEntry

T = TypeVar("T")
EDGE_LINES: Final = 5000  # of the edge's log, among which failures are looked for
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def build_outside(settings: Settings) -> Outside:
    """All adapters over these settings; opens, reads and imports nothing yet."""
    runtime = cast("Runtime", _LazyRuntime(settings))
    clock = lazily(_clock)
    return Outside(
        runtime=runtime,
        compose=lazily(lambda: _compose(settings, runtime)),
        router=lazily(lambda: _router(settings)),
        gateway=lazily(lambda: _gateway(settings)),
        certificates=lazily(lambda: _certificates(settings, runtime)),
        prober=lazily(_prober),
        registry=lazily(_registry),
        store=lazily(lambda: _store(settings, clock)),
        vault=lazily(lambda: _vault(settings)),
        secret_files=lazily(_secret_files),
        files=lazily(lambda: _files(settings)),
        specs=cast("Specs", _LazySpecs(settings)),
        databases=lazily(lambda: _databases(runtime)),
        firewall=lazily(lambda: _firewall(settings)),
        clock=clock,
        host=lazily(_host),
        entrypoints=settings.entrypoints,
        address_block=settings.address_block,
        actor=person(),
        origin=origin(os.environ),
        state_folder=settings.state_folder,
        disk_floor_percent=settings.disk_floor_percent,
        notifier=_notifier(settings),
        tunnel=settings.tunnel_or_none,
        tenant_header=settings.gateway.tenant_header,
    )


def run(outside: Outside, work: Callable[[Outside], Awaitable[T]]) -> T:
    """Run a command to its end; SIGINT, SIGTERM and SIGHUP cancel it once, so that it can unwind.

    A second signal changes nothing: unwinding goes on. Under `nohup` a lost terminal changes
    nothing either. Raises `Interrupted` when it was cancelled.
    """
    return asyncio.run(_run(outside, work))


async def _run(outside: Outside, work: Callable[[Outside], Awaitable[T]]) -> T:
    task = asyncio.ensure_future(_awaited(work, outside))
    try:
        with _signals_cancel(task):
            return await task
    except asyncio.CancelledError:
        raise Interrupted("interrupted") from None
    finally:
        await _close(outside)


async def _awaited(work: Callable[[Outside], Awaitable[T]], outside: Outside) -> T:
    return await work(outside)


@contextlib.contextmanager
def _signals_cancel(task: "asyncio.Future[Any]") -> Iterator[None]:
    loop = asyncio.get_running_loop()
    seen: list[int] = []

    def stop() -> None:
        if seen:
            with contextlib.suppress(OSError, ValueError):  # the terminal may be gone
                sys.stderr.write("berth: still reversing; kill -9 is safe too\n")
        else:
            task.cancel()
        seen.append(1)

    is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    heard = [number for number in SIGNALS if not (is_nohup and number is signal.SIGHUP)]
    try:
        for number in heard:
            loop.add_signal_handler(number, stop)
    except (RuntimeError, ValueError):  # not in the main thread: tests
        pass
    try:
        yield
    finally:
        for number in heard:
            with contextlib.suppress(RuntimeError, ValueError):
                loop.remove_signal_handler(number)


async def _close(outside: Outside) -> None:
    """Close what was opened here; whoever handed in an adapter closes it."""
    with contextlib.suppress(OutsideError):
        if isinstance(outside.runtime, Lazy) and outside.runtime.lazy_is_made:
            await outside.runtime.close()
            outside.runtime.lazy_forget()
    with contextlib.suppress(OutsideError):
        if isinstance(outside.store, Lazy) and outside.store.lazy_is_made:
            outside.store.close()
            outside.store.lazy_forget()


def origin(environ: Mapping[str, str]) -> str:
    """From where: `ssh ADDRESS` or `cli`."""
    connection = environ.get("SSH_CONNECTION", "").split()
    return f"ssh {connection[0]}" if connection else "cli"


class Lazy:
    """Stands for an adapter until its first use, when it is made once and then asked directly."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._lazy_make = make
        self._lazy_made: Any = None

    @property
    def lazy_is_made(self) -> bool:
        """Whether it was used: what was never made needs no closing."""
        return self._lazy_made is not None

    def lazy_forget(self) -> None:
        """Make it anew at the next use: this one was closed."""
        self._lazy_made = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._lazy_made is None:
            self._lazy_made = self._lazy_make()
        return getattr(self._lazy_made, name)


def lazily(make: Callable[[], T]) -> T:
    """`make()` at the first use; typed as the port, because that is all that anybody sees of it."""
    return cast(T, Lazy(make))


class _LazyRuntime(Lazy):
    """The engine; plain listings go without aiodocker as long as nothing else needed it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(lambda: _runtime(settings))
        self._url = settings.docker_host

    async def containers(
        self, labels: Mapping[str, str], *, detailed: bool = False
    ) -> "tuple[Container, ...]":
        if detailed or self.lazy_is_made:
            found: tuple[Container, ...] = await self.__getattr__("containers")(
                labels, detailed=detailed
            )
            return found
        from berthmaster.adapters.docker import quick

        return await quick.list_containers(self._url, labels)


class _LazySpecs(Lazy):
    """Input files; the outline of one that is as it was goes without pydantic."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(_specs)
        self._state_folder = settings.state_folder

    def outline(self, folder: Path) -> "Outline":
        from berthmaster.adapters.files.outlines import Outlines

        return Outlines(self._state_folder).outline(folder, self._read)

    def _read(self, folder: Path) -> "Outline":
        found: Outline = self.__getattr__("outline")(folder)
        return found


def _clock() -> "Clock":
    from berthmaster.adapters.clock import SystemClock

    return SystemClock()


def _runtime(settings: Settings) -> "Runtime":
    from berthmaster.adapters.docker import AiodockerRuntime
    from berthmaster.adapters.registry import DockerCredentials

    return AiodockerRuntime(settings.docker_host, DockerCredentials())


def _compose(settings: Settings, runtime: "Runtime") -> "Compose":
    from berthmaster.adapters.compose import ComposeCli

    os.environ["DOCKER_HOST"] = settings.docker_host  # the binary must speak to the same engine
    return ComposeCli(runtime)


def _router(settings: Settings) -> "Router":
    from berthmaster.adapters.haproxy import HaproxyRouter, PoolSize

    pool = PoolSize(settings.pool.backends, settings.pool.servers)
    return HaproxyRouter(_gateway_folder(settings), settings.entrypoints, pool)


def _gateway(settings: Settings) -> "GatewayProcesses":
    return _docker_gateway(settings)


def _docker_gateway(settings: Settings) -> "DockerGateway":
    import aiodocker

    from berthmaster.adapters.ask.budget import Limits
    from berthmaster.adapters.caddy import EdgeOptions
    from berthmaster.adapters.gateway import DockerGateway, GatewayOptions
    from berthmaster.adapters.haproxy import PoolSize
    from berthmaster.adapters.haproxy.config import RouterOptions

    wanted = settings.gateway
    hsts = f"max-age={wanted.hsts_seconds}" if wanted.hsts_seconds else None
    options = GatewayOptions(
        router_image=wanted.router_image,
        ask_image=wanted.ask_image,
        edge_image=wanted.edge_image,
        name_prefix=f"{wanted.container_prefix}-",
        pool=PoolSize(settings.pool.backends, settings.pool.servers),
        limits=Limits(wanted.certificates_per_domain, wanted.orders_per_three_hours),
        router=RouterOptions(
            tenant_header=wanted.tenant_header,
            hsts=hsts,
            hsts_steps=tuple((step.ends_at, step.seconds) for step in wanted.hsts_steps),
        ),
        edge=EdgeOptions(
            ask_port=wanted.ask_port,
            asks_by_module=wanted.edge_permission,
            acme_directory=wanted.acme_directory,
            acme_ca_root=wanted.acme_ca_root,
            acme_email=wanted.acme_email,
        ),
    )
    return DockerGateway(
        _gateway_folder(settings), options, lambda: aiodocker.Docker(url=settings.docker_host)
    )


def _certificates(settings: Settings, runtime: "Runtime") -> "Certificates":
    from berthmaster.adapters.caddy.certificates import EdgeCertificates

    edge = f"{settings.gateway.container_prefix}-edge"
    return EdgeCertificates(_gateway_folder(settings), lambda: runtime.logs(edge, lines=EDGE_LINES))


def _gateway_folder(settings: Settings) -> Path:
    return settings.state_folder / "gateway"


def _prober() -> "Prober":
    from berthmaster.adapters.http import AiohttpProber

    return AiohttpProber()


def _notifier(settings: Settings) -> "Notifier":
    if settings.notify is None:
        return Nobody()
    from berthmaster.adapters.host.notifier import ProgramNotifier

    return ProgramNotifier(settings.notify)


def _registry() -> "Registry":
    from berthmaster.adapters.registry import HttpRegistry
    from berthmaster.adapters.registry.remembering import RememberingRegistry

    return RememberingRegistry(HttpRegistry())


def _store(settings: Settings, clock: "Clock") -> "Store":
    from berthmaster.adapters.store import SqliteStore

    return SqliteStore(
        settings.store_path,
        block=settings.address_block,
        clock=clock,
        subnet_prefix=settings.subnet_prefix,
        pool_slots=settings.pool.backends,
    )


def _vault(settings: Settings) -> "Vault":
    from berthmaster.adapters.vault import KeyFileVault

    return KeyFileVault(settings.key_path)


def _secret_files() -> "SecretFiles":
    from berthmaster.adapters.secretfiles import DiskSecretFiles

    return DiskSecretFiles()


def _files(settings: Settings) -> "ReleaseFiles":
    from berthmaster.adapters.files.state_files import StateFiles

    return StateFiles(settings.state_folder)


def _specs() -> "Specs":
    from berthmaster.adapters.berthfile import BerthfileSpecs

    return BerthfileSpecs()


def _databases(runtime: "Runtime") -> "Databases":
    from berthmaster.adapters.databases import KnownDatabases
    from berthmaster.adapters.mysql import MysqlDumps
    from berthmaster.adapters.postgres import PostgresDumps

    return KnownDatabases(runtime, PostgresDumps(runtime), MysqlDumps(runtime))


def _firewall(settings: Settings) -> "Firewall":
    from berthmaster.adapters.firewall import Iptables, Limit

    entrypoints = [item for item in settings.entrypoints if item.tls != Tls.OFF]
    ports = tuple(port for item in entrypoints for port in item.ports)
    return Iptables(bound=Limit(settings.gateway.connections_per_address, ports))


def build_snapshots(settings: Settings) -> "Snapshots":
    """The copies of the store; opens nothing."""
    from berthmaster.adapters.store.snapshots import StoreSnapshots

    return StoreSnapshots(settings.store_path)


def build_backups(settings: Settings, target: str) -> "Backups":
    """Copies at a target; opens nothing. Raises `InvalidSpec` for one that cannot be."""
    from berthmaster.adapters.restic import ResticBackups, parse_target, read_credentials

    place = parse_target(target)
    if place.folder is not None and place.folder.is_relative_to(settings.state_folder):
        raise InvalidSpec(f"{target} lies in the state folder that is to be backed up")
    variables = read_credentials(settings.backup.credentials)
    return ResticBackups(place, settings.state_folder / "backup", variables=variables)


def build_engine_data(settings: Settings) -> "EngineData":
    """Images and volumes of this machine's engine; opens nothing."""
    from berthmaster.adapters.docker.data import DockerData

    gateway = _docker_gateway(settings)
    return DockerData(settings.docker_host, lambda: gateway.images(settings.entrypoints))


def describe_installation(settings: Settings) -> "Installation":
    """What a backup says of where it was made."""
    import socket

    import berthmaster
    from berthmaster.domain.backup import Keep
    from berthmaster.services.back_up_server import Installation

    keep = Keep(settings.backup.keep_daily, settings.backup.keep_weekly)
    return Installation(berthmaster.__version__, socket.gethostname(), settings_path(), keep)


def build_units(settings: Settings) -> "Units":
    """What runs housekeeping on this machine; only for the server's own, usual settings.

    A trial with another state folder or settings file must not take a server's timer over.
    """
    from berthmaster.adapters.systemd import SystemdUnits

    is_usual = settings.state_folder == Settings().state_folder
    return SystemdUnits(
        Path(sys.executable).with_name("berth"),
        is_wanted=is_usual and not os.environ.get(PATH_VARIABLE),
        backup_at=settings.backup.at if settings.backup.target else None,
    )


def _host() -> "Host":
    from berthmaster.adapters.host import LinuxHost

    return LinuxHost()


def read_servers() -> "Catalogue":
    """The servers that this person knows."""
    from berthmaster.adapters.ssh.catalogue import read_catalogue

    return read_catalogue()


def build_ssh(catalogue: "Catalogue") -> "SystemSsh":
    """The system's ssh with this person's configuration; starts nothing."""
    from berthmaster.adapters.ssh.system import SystemSsh

    return SystemSsh(catalogue.known_hosts, catalogue.ssh_config)


def probe(ssh: "SystemSsh", entry: "ServerEntry") -> dict[str, Any]:
    """What a server has, before or after Berthmaster is there."""
    from berthmaster.adapters.ssh.installing import probe as probe_there

    return probe_there(ssh, entry)


def reach(ssh: "SystemSsh", entry: "ServerEntry") -> dict[str, Any]:
    """Whether Berthmaster answers there, even to a key that can do nothing else."""
    from berthmaster.adapters.ssh.system import reach as reach_there

    reach_there(ssh, entry)
    return {}


def ask(server: str, asked: "Asked") -> int:
    """Run a request on a server to its end."""
    from berthmaster.adapters.ssh.asking import ask as ask_there

    catalogue = read_servers()
    return ask_there(build_ssh(catalogue), catalogue.find(server), asked)


def serve(far: "FarSide", settings: Settings) -> int:
    """Answer the one request that comes over standard input."""
    from berthmaster.adapters.ssh.serving import Serving
    from berthmaster.adapters.ssh.trees import SentTrees
    from berthmaster.adapters.ssh.wire import Wire

    for number in (*SIGNALS, signal.SIGPIPE):  # who asked may go away: the command decides
        signal.signal(number, signal.SIG_IGN)
    # NOTE: what this process prints by mistake must not look like a frame.
    wire = Wire(os.dup(0), os.dup(1))
    os.dup2(2, 1)
    return Serving(wire, far, SentTrees(settings.state_folder)).serve()
