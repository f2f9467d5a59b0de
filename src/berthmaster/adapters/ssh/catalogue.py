"""The servers that this person knows: `~/.config/berthmaster/servers.toml`.

ssh_config = "/etc/ci/ssh_config"   # optional, instead of ~/.ssh/config
[servers.web1]
address = "deploy@203.0.113.7"
sudo = true
"""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from berthmaster.domain.elsewhere import ServerEntry
from berthmaster.domain.errors import InvalidSpec, UserError

VARIABLE: Final = "BERTHMASTER_SERVERS"  # another file
_KEYS: Final = frozenset({"address", "sudo"})


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the file says."""

    path: Path
    servers: Mapping[str, ServerEntry] = field(default_factory=dict)
    ssh_config: Path | None = None

    @property
    def known_hosts(self) -> Path:
        """Host keys that were confirmed with `berth server add`."""
        return self.path.with_name("known_hosts")

    def find(self, name: str) -> ServerEntry:
        """A server of the file, else a name of ssh's own configuration."""
        return self.servers.get(name) or ServerEntry(name, name)


def usual_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the file is, or would be."""
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE])
    base = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME') or Path.home()}/.config"
    return Path(base) / "berthmaster/servers.toml"


def read_catalogue(path: Path | None = None) -> Catalogue:
    """Read the file; one that is not there knows no server. Raises `InvalidSpec`."""
    where = path or usual_path()
    try:
        text = where.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Catalogue(where)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSpec("it cannot be read", location=str(where)) from error
    import tomllib

    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSpec(str(error), location=str(where)) from error
    unknown = set(found) - {"servers", "ssh_config"}
    if unknown:
        raise InvalidSpec(f"unknown key `{min(unknown)}`", location=str(where))
    config = found.get("ssh_config")
    rows = found.get("servers", {})
    if not isinstance(rows, dict) or not isinstance(config, str | None):
        raise InvalidSpec("`servers` must be tables, and `ssh_config` a text", location=str(where))
    servers = {name: _entry(where, name, item) for name, item in rows.items()}
    return Catalogue(where, servers, Path(config).expanduser() if config else None)


def _entry(where: Path, name: str, item: Any) -> ServerEntry:
    at = f"{where}: servers.{name}"
    if not isinstance(item, dict) or set(item) - _KEYS or not isinstance(item.get("address"), str):
        raise InvalidSpec("wants `address`, and may have `sudo`", location=at)
    if not isinstance(item.get("sudo", False), bool):
        raise InvalidSpec("`sudo` must be true or false", location=at)
    try:
        return ServerEntry(name, item["address"], item.get("sudo", False))
    except UserError as error:
        raise InvalidSpec(error.message, location=at) from error


def write_catalogue(catalogue: Catalogue) -> None:
    """Write the file whole or not at all; values are of strict types, so none needs quoting."""
    lines = [f'ssh_config = "{catalogue.ssh_config}"', ""] if catalogue.ssh_config else []
    for name, entry in sorted(catalogue.servers.items()):
        lines += [f'[servers."{name}"]', f'address = "{entry.address}"']
        lines += ["sudo = true"] if entry.is_sudo else []
        lines.append("")
    folder = catalogue.path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(prefix=".servers-", dir=folder)
    with open(handle, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
    Path(part).replace(catalogue.path)
