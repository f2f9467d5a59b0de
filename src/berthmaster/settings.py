"""Settings of the server: `BERTHMASTER_*` variables, then `/etc/berthmaster/settings.toml`.

What belongs to an app is in its `berth.yaml`; here is only what the machine decides. Every key is
checked, an unknown one is refused with its line and the nearest known one. Standard library only:
each command reads this first. The reference page is made from `reference()`, so each field carries
its own sentence.
"""

import ipaddress
import os
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from berthmaster.domain.errors import InvalidName, InvalidSpec
from berthmaster.domain.names import check_name
from berthmaster.domain.routing import TAKEOVER_FILE, Entrypoint, Tls

if typing.TYPE_CHECKING:
    from berthmaster.domain.tunnel import Tunnel

PATH: Final = Path("/etc/berthmaster/settings.toml")
PATH_VARIABLE: Final = "BERTHMASTER_SETTINGS"  # another file than `PATH`
PREFIX: Final = "BERTHMASTER_"


def _about(sentence: str) -> dict[str, str]:
    return {"about": sentence}


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """The router's fixed pool (D3); another size is a planned reload of the gateway."""

    backends: int = field(
        default=1000, metadata=_about("Slots of the router: routed services of all kept releases.")
    )
    servers: int = field(default=4, metadata=_about("Replicas that one slot can hold."))


@dataclass(frozen=True, slots=True)
class HstsStep:
    """`Strict-Transport-Security` cannot be taken back: for so many seconds until that day."""

    until: str  # 2026-12-31, its begin in UTC
    seconds: int

    @property
    def ends_at(self) -> int:
        """Seconds since 1970; raises `ValueError`."""
        return int(datetime.strptime(f"{self.until}+0000", "%Y-%m-%d%z").timestamp())


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What router and edge run from, and where certificates come from."""

    router_image: str | None = field(
        default=None,
        metadata=_about(
            "Image of the router; without it `berthmaster/haproxy:2.6` where `images/build` made"
            " it, else the public `haproxy:2.6`."
        ),
    )
    edge_image: str | None = field(
        default=None,
        metadata=_about(
            "Image of the edge; without it `berthmaster/caddy:2.6` where `images/build` made it,"
            " else the public `caddy:2.6`."
        ),
    )
    ask_image: str | None = field(
        default=None,
        metadata=_about(
            "Image of the ask responder: any Python from 3.11; without it `berthmaster/python:3.11`"
            " where `images/build` made it, else the public `python:3.11-alpine`."
        ),
    )
    container_prefix: str = field(
        default="berthmaster", metadata=_about("Start of the names of the gateway's containers.")
    )
    ask_port: int = field(
        default=9180,
        metadata=_about("Loopback port where the edge asks whether a name may have a certificate."),
    )
    tenant_header: str = field(
        default="X-Tenant-Host",
        metadata=_about("Header that names the tenant where `tenancy.mode` is `header`."),
    )
    edge_permission: bool = field(
        default=False,
        metadata=_about(
            "Ask in the way of Caddy 2.8 and newer (`permission`); 2.6 and 2.7 know `ask` only."
        ),
    )
    certificates_per_domain: int = field(
        default=50,
        metadata=_about(
            "Certificates that the ACME server gives a registered domain in 7 days; near it new"
            " names are refused."
        ),
    )
    orders_per_three_hours: int = field(
        default=300, metadata=_about("Orders that the ACME server takes in 3 hours, likewise.")
    )
    connections_per_address: int = field(
        default=0,
        metadata=_about(
            "New connections a second that one address may open to the TLS entrypoints, four times"
            " as many at once; more are dropped, in the host's firewall. 0 sets no bound."
        ),
    )
    hsts_seconds: int = field(
        default=31_536_000,
        metadata=_about("`Strict-Transport-Security` where the app says nothing; 0 sends none."),
    )
    hsts_steps: tuple[HstsStep, ...] = field(
        default=(),
        metadata=_about(
            "Smaller steps before it: `[{until = '2026-12-31', seconds = 300}, ...]`, each longer"
            " than the one before; they end by themselves."
        ),
    )
    acme_directory: str | None = field(
        default=None,
        metadata=_about("URL of the ACME server; without it and with an e-mail, Let's Encrypt."),
    )
    acme_ca_root: Path | None = field(
        default=None, metadata=_about("PEM file that the ACME server is trusted by.")
    )
    acme_email: str | None = field(
        default=None, metadata=_about("Where the ACME server writes to.")
    )

    @property
    def has_acme(self) -> bool:
        """Whether certificates come from an ACME server rather than from the edge's own CA."""
        return bool(self.acme_directory or self.acme_email)


@dataclass(frozen=True, slots=True)
class TunnelSettings:
    """A cloudflared tunnel in front of the gateway; without an id there is none."""

    id: str | None = field(
        default=None, metadata=_about("The tunnel's UUID. Without it there is no tunnel.")
    )
    credentials: Path | None = field(
        default=None,
        metadata=_about("Its credentials file; by default `/etc/cloudflared/<id>.json`."),
    )
    config: Path = field(
        default=Path("/etc/cloudflared/config.yml"),
        metadata=_about("What `berth gateway tunnel --write` writes."),
    )
    metrics_port: int = field(
        default=20241, metadata=_about("Loopback port where cloudflared answers `/ready`.")
    )


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """Where `berth server backup` writes, how long backups stay, and when the timer runs it."""

    target: str | None = field(
        default=None,
        metadata=_about(
            "A folder, `ssh://user@host/folder` or `s3:https://host/bucket`. Without it, `--to`."
        ),
    )
    credentials: Path | None = field(
        default=None,
        metadata=_about(
            "File (0600) with `AWS_ACCESS_KEY_ID=...` and `AWS_SECRET_ACCESS_KEY=...` for S3."
        ),
    )
    keep_daily: int = field(default=7, metadata=_about("Days of which the newest backup is kept."))
    keep_weekly: int = field(
        default=4, metadata=_about("Weeks of which the newest backup is kept.")
    )
    at: str = field(
        default="03:15", metadata=_about("When the timer runs it, where a target is set: `HH:MM`.")
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the machine decides."""

    state_folder: Path = field(
        default=Path("/var/lib/berthmaster"),
        metadata=_about("Store, key, releases, dumps and logs; on a local disk."),
    )
    address_block: str = field(
        default="10.201.0.0/16", metadata=_about("Private IPv4 block that networks are cut from.")
    )
    subnet_prefix: int = field(
        default=27, metadata=_about("Size of each network: /27 has 32 addresses.")
    )
    docker_host: str = field(
        default="unix:///var/run/docker.sock",
        metadata=_about("The engine's socket on this machine."),
    )
    disk_floor_percent: int = field(
        default=10, metadata=_about("No deploy starts with less free disk.")
    )
    notify: Path | None = field(
        default=None,
        metadata=_about("Program that gets each new alert as one line on its standard input."),
    )
    pool: PoolSettings = field(default_factory=PoolSettings)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    tunnel: TunnelSettings = field(default_factory=TunnelSettings)
    backup: BackupSettings = field(default_factory=BackupSettings)
    entrypoints: tuple[Entrypoint, ...] = field(
        default=(),
        metadata=_about("Ports that the gateway listens on; none named: http, https and stage."),
    )

    @property
    def store_path(self) -> Path:
        """The store's file."""
        return self.state_folder / "store.db"

    @property
    def key_path(self) -> Path:
        """The key that recorded secrets are sealed with."""
        return self.state_folder / "secret.key"

    @property
    def tunnel_or_none(self) -> "Tunnel | None":
        """The tunnel, when one is named."""
        named = self.tunnel.id
        if named is None:
            return None
        from berthmaster.domain.tunnel import Tunnel

        credentials = self.tunnel.credentials or Path(f"/etc/cloudflared/{named}.json")
        return Tunnel(named, str(credentials), str(self.tunnel.config), self.tunnel.metrics_port)


def settings_path(environ: Mapping[str, str] | None = None) -> Path:
    """The settings file of this machine, there or not."""
    variables = os.environ if environ is None else environ
    return Path(variables[PATH_VARIABLE]) if variables.get(PATH_VARIABLE) else PATH


def read_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read file and variables and check them; without a file at the usual place, the defaults.

    Raises `InvalidSpec` with file and line, or with the variable's name.
    """
    variables = os.environ if environ is None else environ
    given = path or (settings_path(variables) if variables.get(PATH_VARIABLE) else None)
    source = _Source(given or PATH, is_required=given is not None)
    values = source.read()
    _take_variables(values, source, variables)
    settings: Settings = _build(Settings, values, source, "")
    _check(settings, source)
    return _with_taken_ports(_with_entrypoints(settings))


def reference() -> tuple[tuple[str, str, str], ...]:
    """Key, default and sentence of every setting, for the reference page."""
    return tuple(
        (key, "" if item.default is MISSING else str(item.default), item.metadata["about"])
        for key, item in _leaves()
    )


class _Source:
    """The settings file, and where in it a key stands."""

    def __init__(self, path: Path, *, is_required: bool) -> None:
        self.path = path
        self._is_required = is_required
        self._lines: list[str] = []
        self.variables: dict[str, str] = {}  # key -> variable that gave it

    def read(self) -> dict[str, Any]:
        """The file as TOML; raises `InvalidSpec` where it is none."""
        try:
            text = self.path.read_text()
        except FileNotFoundError as error:
            if self._is_required:
                raise InvalidSpec(f"there is no settings file {self.path}") from error
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidSpec(f"the settings file {self.path} cannot be read: {error}") from error
        import tomllib  # only where there is a file

        self._lines = text.splitlines()
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"line (\d+)", str(error))
            where = f"{self.path}:{found[1]}" if found else str(self.path)
            raise InvalidSpec(str(error), location=where) from error

    def error(self, key: str, message: str) -> InvalidSpec:
        """Say what is wrong with a key, and where it was written."""
        if key in self.variables:
            return InvalidSpec(message, location=self.variables[key])
        line = self._line(key)
        return InvalidSpec(message, location=f"{self.path}:{line}" if line else str(self.path))

    def has(self, key: str) -> bool:
        """Whether the file or a variable gives this key."""
        return key in self.variables or self._line(key) is not None

    def _line(self, key: str) -> int | None:
        # tomllib gives no positions: follow the table headers, and count those of an array.
        *_, name = key.split(".")
        wanted, table, seen = key.rpartition(".")[0], "", dict[str, int]()
        for number, line in enumerate(self._lines, start=1):
            if header := re.match(r"\s*(\[\[?)\s*([\w.-]+)\s*\]", line):
                table = header[2]
                if header[1] == "[[":
                    seen[table] = seen.get(table, -1) + 1
                    table = f"{table}.{seen[table]}"
                if table == key or header[2] == key:
                    return number
            elif table == wanted and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=", line):
                return number
        return self._line(wanted) if wanted else None


def _build(wanted: Any, values: Any, source: _Source, prefix: str) -> Any:
    if not isinstance(values, Mapping):
        raise source.error(prefix.rstrip("."), f"`{prefix.rstrip('.')}` must be a table")
    known = {item.name: hint for item, hint in _hinted(wanted)}
    for name in values:
        if name not in known:
            raise source.error(prefix + name, _unknown(prefix + name, name, known))
    missing = [
        item.name for item in fields(wanted) if _is_required(item) and item.name not in values
    ]
    if missing:
        raise source.error(prefix.rstrip("."), f"`{prefix}{missing[0]}` is missing")
    return wanted(
        **{
            name: _value(known[name], value, source, prefix + name)
            for name, value in values.items()
        }
    )


def _value(hint: Any, value: Any, source: _Source, key: str) -> Any:
    if isinstance(hint, types.UnionType):
        hint = next(item for item in typing.get_args(hint) if item is not types.NoneType)
    if typing.get_origin(hint) is tuple:
        return _values(typing.get_args(hint)[0], value, source, key)
    if is_dataclass(hint):
        return _build(hint, value, source, f"{key}.")
    if hint is int:
        return _number(value, source, key)
    if not isinstance(value, str) or not value:
        raise source.error(key, f"`{key}` must be a text, not {value!r}")
    return _text(hint, value, source, key)


def _text(hint: Any, value: str, source: _Source, key: str) -> Any:
    if not issubclass(hint, StrEnum):
        return hint(value)
    if value not in list(hint):
        raise source.error(key, f"`{key}` must be one of {', '.join(hint)}, not {value!r}")
    return hint(value)


def _values(hint: Any, value: Any, source: _Source, key: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise source.error(key, f"`{key}` must be a list, not {value!r}")
    return tuple(
        _value(hint, item, source, f"{key}.{index}" if is_dataclass(hint) else key)
        for index, item in enumerate(value)
    )


def _number(value: Any, source: _Source, key: str) -> int:
    is_digits = isinstance(value, str) and key in source.variables and value.isdecimal()
    if (isinstance(value, int) and not isinstance(value, bool)) or is_digits:
        return int(value)
    raise source.error(key, f"`{key}` must be a whole number, not {value!r}")


def _take_variables(values: dict[str, Any], source: _Source, environ: Mapping[str, str]) -> None:
    if not any(name.startswith(PREFIX) and name != PATH_VARIABLE for name in environ):
        return
    keys = {PREFIX + key.upper().replace(".", "_"): key for key, _ in _leaves()}
    for name in ("ENTRYPOINTS", "GATEWAY_HSTS_STEPS"):
        del keys[f"{PREFIX}{name}"]  # a list of tables does not fit a variable
    for variable, value in environ.items():
        if variable in keys:
            table, _, name = keys[variable].rpartition(".")
            source.variables[keys[variable]] = variable
            (values.setdefault(table, {}) if table else values)[name] = value
        elif variable.startswith(PREFIX) and variable != PATH_VARIABLE:
            _refuse_near_miss(variable, list(keys))


def _refuse_near_miss(variable: str, known: list[str]) -> None:
    from difflib import get_close_matches

    # Other variables of this prefix exist (failpoints, tests): not every unknown one is an error.
    if near := get_close_matches(variable, known, n=1, cutoff=0.9):
        raise InvalidSpec(f"no such setting; did you mean {near[0]}?", location=variable)


def _check(settings: Settings, source: _Source) -> None:
    for key, low, high in _RANGES:
        value = attrgetter(key)(settings)
        if not low <= value <= high:
            raise source.error(key, f"`{key}` must be from {low} to {high}, not {value}")
    _check_block(settings, source)
    if not settings.state_folder.is_absolute():
        raise source.error("state_folder", "`state_folder` must be an absolute path")
    if not settings.docker_host.startswith("unix:///"):
        raise source.error(
            "docker_host", "`docker_host` must be unix:///..., the engine of this machine"
        )
    directory = settings.gateway.acme_directory
    if directory and not directory.startswith("https://"):
        raise source.error("gateway.acme_directory", "`gateway.acme_directory` must be https://...")
    _check_steps(settings.gateway, source)
    _check_names(settings, source)
    _check_tunnel(settings.tunnel.id, source)
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", settings.backup.at):
        raise source.error("backup.at", f"`backup.at` must be HH:MM, not {settings.backup.at!r}")
    _check_entrypoints(settings.entrypoints, source)


def _check_tunnel(named: str | None, source: _Source) -> None:
    if named is None:
        return
    from berthmaster.domain.tunnel import ID

    if not ID.match(named):
        raise source.error("tunnel.id", "`tunnel.id` must be a UUID, as `cloudflared tunnel list`")


def _check_block(settings: Settings, source: _Source) -> None:
    try:
        block = ipaddress.IPv4Network(settings.address_block)
    except ValueError as error:
        raise source.error("address_block", f"`address_block` is no IPv4 block: {error}") from error
    if not block.is_private:
        raise source.error("address_block", f"`address_block` must be private, {block} is not")
    if settings.subnet_prefix < block.prefixlen:
        key = "subnet_prefix" if source.has("subnet_prefix") else "address_block"
        raise source.error(key, f"a /{settings.subnet_prefix} does not fit in {block}")


def _check_steps(gateway: GatewaySettings, source: _Source) -> None:
    """Each ends later and is longer than the one before."""
    before = HstsStep("1970-01-01", 0)
    for index, step in enumerate(gateway.hsts_steps):
        key = f"gateway.hsts_steps.{index}"
        try:
            is_later = step.ends_at > before.ends_at
        except ValueError:
            raise source.error(
                key, f"`until` must be a day, 2026-12-31, not {step.until!r}"
            ) from None
        if not is_later or not before.seconds < step.seconds <= gateway.hsts_seconds:
            raise source.error(
                key,
                "each step of `gateway.hsts_steps` ends later and has more seconds, at most"
                f" {gateway.hsts_seconds} (`gateway.hsts_seconds`)",
            )
        before = step


def _check_names(settings: Settings, source: _Source) -> None:
    try:
        check_name("service", settings.gateway.container_prefix)
    except InvalidName as error:
        raise source.error("gateway.container_prefix", error.message) from error


def _check_entrypoints(entrypoints: tuple[Entrypoint, ...], source: _Source) -> None:
    seen: dict[str | int, str] = {}
    tls = {item.name for item in entrypoints if item.tls is not Tls.OFF}
    for index, item in enumerate(entrypoints):
        key = f"entrypoints.{index}"
        if problem := _entrypoint_problem(item, tls):
            raise source.error(f"{key}.{problem[0]}", problem[1])
        for mark, what in ((item.name, "name"), (item.port, "port")):
            if mark in seen:
                raise source.error(
                    f"{key}.{what}", f"{what} {mark} is that of {seen[mark]} already"
                )
            seen[mark] = item.name


def _entrypoint_problem(item: Entrypoint, tls: set[str]) -> tuple[str, str] | None:
    try:
        check_name("entrypoint", item.name)
    except InvalidName as error:
        return "name", error.message
    if item.also is not None or item.listens_also:
        return "also", "a second port is taken by `berth adopt --replace-proxy` only"
    if not 1 <= item.port <= 65535:
        return "port", f"port {item.port} does not exist"
    if item.redirect_to is not None and item.redirect_to not in tls:
        return "redirect_to", f"{item.redirect_to!r} is no entrypoint with tls"
    for proxy in item.trusted_proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            return "trusted_proxies", str(error)
    return None


def _with_entrypoints(settings: Settings) -> Settings:
    if settings.entrypoints:
        return settings
    tls = Tls.ACME if settings.gateway.has_acme else Tls.LOCAL
    return replace(
        settings,
        entrypoints=(
            Entrypoint("http", 80, redirect_to="https"),
            Entrypoint("https", 443, tls),
            Entrypoint("stage", 8081),
        ),
    )


def _with_taken_ports(settings: Settings) -> Settings:
    """With what `berth adopt --replace-proxy` took; what cannot be read was never written here."""
    try:
        text = (settings.state_folder / "gateway" / TAKEOVER_FILE).read_text()
    except (OSError, UnicodeDecodeError):
        return settings
    from berthmaster.domain.takeover import parse_takeover, with_takeover

    entrypoints = with_takeover(settings.entrypoints, parse_takeover(text))
    return replace(settings, entrypoints=entrypoints)


_RANGES: Final = (
    ("subnet_prefix", 8, 28),  # a /28 still has a gateway, a few fixed addresses and Docker's half
    ("disk_floor_percent", 0, 90),
    ("pool.backends", 1, 10_000),
    ("pool.servers", 1, 64),
    ("gateway.ask_port", 1, 65_535),
    ("gateway.certificates_per_domain", 2, 1_000_000),
    ("gateway.orders_per_three_hours", 2, 1_000_000),
    ("gateway.connections_per_address", 0, 1000),  # above, `iptables` rounds what it was told
    ("backup.keep_daily", 1, 366),
    ("backup.keep_weekly", 0, 520),
    ("gateway.hsts_seconds", 0, 63_072_000),  # two years, what the preload list asks for at most
)


def _unknown(key: str, name: str, known: Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"there is no setting `{key}`" + (f"; did you mean `{near[0]}`?" if near else "")


def _is_required(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _hinted(wanted: Any) -> list[tuple[Field[Any], Any]]:
    hints = typing.get_type_hints(wanted)
    return [(item, hints[item.name]) for item in fields(wanted)]


def _leaves() -> list[tuple[str, Field[Any]]]:
    found: list[tuple[str, Field[Any]]] = []
    for item, hint in _hinted(Settings):
        inner = _hinted(hint) if is_dataclass(hint) else ()
        found += [(f"{item.name}.{leaf.name}", leaf) for leaf, _ in inner] or [(item.name, item)]
    return found
